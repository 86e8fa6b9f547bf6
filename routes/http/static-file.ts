import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Coding, chooseCoding } from './coding.js'

interface Variant {
  readonly content: Buffer
  readonly etag: string
}

/** A file as it was at the start, in each coding that the build made. */
export interface StaticFile {
  readonly type: string
  readonly variants: ReadonlyMap<Coding, Variant>
}

const CODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
  ['identity', ''],
] as const

/**
 * Reads a file and its compressed forms. A build that replaces this one while the server runs must not mix the page of
 * one version with the scripts of another.
 */
export function readStaticFile(path: string, type: string): StaticFile {
  const hash = createHash('sha256').update(readFileSync(path)).digest('base64url')
  const present = CODINGS.filter(([, ending]) => existsSync(`${path}${ending}`))
  // Each coding is a representation with a tag of its own (RFC 9110 §8.8.3.3).
  const variants = present.map(([coding, ending]) => {
    const etag = coding === 'identity' ? `"${hash}"` : `"${hash}-${coding}"`
    return [coding, { content: readFileSync(`${path}${ending}`), etag }] as const
  })
  return { type, variants: new Map(variants) }
}

/** Compares weakly (RFC 9110 §13.1.2), since a compressing proxy makes the tag weak. */
function hasIt({ headers }: FastifyRequest, etag: string): boolean {
  const tags = headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? []
  return tags.includes(etag) || tags.includes('*')
}

/** Answers with a file, in a coding that the client accepts: 200, 304, or 406 if it accepts none. */
export function sendStaticFile(request: FastifyRequest, reply: FastifyReply, { type, variants }: StaticFile) {
  const coding = chooseCoding(request.headers['accept-encoding'], [...variants.keys()])
  const variant = coding === null ? undefined : variants.get(coding)
  if (!variant) {
    reply.code(406).headers({ 'cache-control': 'no-store', 'content-type': 'text/plain; charset=utf-8' })
    return reply.send('Accept-Encoding excludes every form of this file.\n')
  }
  reply.header('etag', variant.etag)
  if (hasIt(request, variant.etag)) return reply.code(304).send()
  if (coding !== 'identity') reply.header('content-encoding', coding)
  return reply.type(type).send(variant.content)
}
