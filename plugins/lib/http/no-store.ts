import type { FastifyReply } from 'fastify'

/** What depends on who is asking must not be kept by a cache, and given to the next (RFC 9111 §5.2.2.5). */
export function forbidCaching(reply: FastifyReply): void {
  reply.header('cache-control', 'no-store')
}

type Raw = FastifyReply['raw']

const kForbidden = Symbol('fastify-identity.storing-forbidden')

/**
 * Fields that tell a cache what it may keep: `Cache-Control`, the ones for a kind of cache alone, which come before it
 * (RFC 9213 §2.2: `CDN-Cache-Control` and the like), and their forerunners.
 */
const CACHE_FIELD = /(?:^|-)cache-control$|^surrogate-control$|^edge-control$|^x-accel-expires$/i

function isCacheField(name: unknown): boolean {
  return CACHE_FIELD.test(String(name))
}

/** A list of names and values, in turn or as pairs: the forms that `writeHead` takes beside an object. */
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
 * Makes the answer one that no cache keeps (RFC 9111 §5.2.2.5), whatever is said of that later: by the route, by a
 * plugin behind a guard, a hook that runs after ours, a web `Response`, or `raw.writeHead`. A shared cache that kept an
 * answer with a credential would hand it to the next person. So it is decided where headers are written, and on this
 * response alone.
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
