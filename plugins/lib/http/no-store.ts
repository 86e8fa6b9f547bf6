import type { FastifyReply } from 'fastify'

/** A cache must not give one caller's answer to the next caller (RFC 9111 §5.2.2.5). */
export function forbidCaching(reply: FastifyReply): void {
  reply.header('cache-control', 'no-store')
}

type Raw = FastifyReply['raw']

const kForbidden = Symbol('fastify-identity.storing-forbidden')

/**
 * `Cache-Control`, the fields that override it for one kind of cache (RFC 9213 §2.2: `CDN-Cache-Control`), and older
 * fields.
 */
const CACHE_FIELD = /(?:^|-)cache-control$|^surrogate-control$|^edge-control$|^x-accel-expires$/i

function isCacheField(name: unknown): boolean {
  return CACHE_FIELD.test(String(name))
}

/** A flat list of names and values, or a list of pairs: `writeHead` takes both. */
function withoutCacheFields(list: readonly unknown[]): unknown[] {
  if (Array.isArray(list[0])) return list.filter((pair) => !isCacheField(Array.isArray(pair) ? pair[0] : ''))
  return list.filter((_, index) => !isCacheField(list[index - (index % 2)]))
}

/** The same headers with `Cache-Control: no-store`, in the same form. */
function forbidding(headers: object): object {
  if (Array.isArray(headers)) {
    const field = ['cache-control', 'no-store']
    return [...withoutCacheFields(headers), ...(Array.isArray(headers[0]) ? [field] : field)]
  }
  const kept = Object.entries(headers).filter(([name]) => !isCacheField(name))
  return { ...Object.fromEntries(kept), 'cache-control': 'no-store' }
}

/**
 * Forbids caches to store the answer (RFC 9111 §5.2.2.5): a shared cache would give its credential to the next person. The
 * route, another plugin, a later hook, a web `Response` or `raw.writeHead` may set cache headers after this call. So it
 * overrides `writeHead` of this one response.
 */
export function forbidStoring(raw: Raw & { [kForbidden]?: true }): void {
  if (raw[kForbidden] || raw.headersSent) return
  raw[kForbidden] = true
  const { writeHead } = raw as { writeHead: (...args: unknown[]) => Raw }
  const writeHeadUnstored = (...args: unknown[]): Raw => {
    for (const name of raw.getHeaderNames()) if (isCacheField(name)) raw.removeHeader(name)
    const given = args.findIndex((argument) => typeof argument === 'object' && argument !== null)
    if (given === -1) raw.setHeader('cache-control', 'no-store')
    else args[given] = forbidding(args[given] as object)
    return Reflect.apply(writeHead, raw, args)
  }
  raw.writeHead = writeHeadUnstored as Raw['writeHead']
}
