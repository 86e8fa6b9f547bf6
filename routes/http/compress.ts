import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { addVary, type Coding, chooseCoding } from './coding.js'

const brotli = promisify(brotliCompress)
/** The best quality would take seconds for a large file. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }

const COMPRESSORS: Readonly<Record<Exclude<Coding, 'identity'>, (content: Buffer) => Promise<Buffer>>> = {
  br: (content) => brotli(content, BROTLI),
  gzip: promisify(gzip),
}

const TEXT = /^(text\/|image\/svg|application\/(json|javascript|x-yaml))/

function codingFor(
  { method, headers }: FastifyRequest,
  reply: FastifyReply,
): Exclude<Coding, 'identity'> | null {
  if (method !== 'GET' || reply.statusCode !== 200 || !TEXT.test(String(reply.getHeader('content-type'))))
    return null
  const coding = chooseCoding(headers['accept-encoding'], ['br', 'gzip', 'identity'])
  return coding === 'identity' ? null : coding
}

/**
 * Compresses the answers of a scope. They must be the same for everybody: from the length of a compressed answer with
 * a secret, an attacker could learn the secret (BREACH). Each content is compressed once.
 */
export function compressPublic(scope: FastifyInstance): void {
  // By content: one file has many addresses, and a caller may invent them.
  const compressed = new Map<string, Promise<Buffer>>()
  const compressOnce = (coding: Exclude<Coding, 'identity'>, content: Buffer) => {
    const key = `${coding} ${createHash('sha256').update(content).digest('base64url')}`
    const made = compressed.get(key) ?? COMPRESSORS[coding](content)
    compressed.set(key, made)
    return made
  }
  scope.addHook('onSend', async function compressAnswer(request, reply, payload) {
    addVary(reply, 'Accept-Encoding')
    const coding = codingFor(request, reply)
    if (coding === null) return payload
    const content = await contentOf(payload)
    if (content === null) return payload
    const made = await compressOnce(coding, content)
    // A tag of @fastify/static is weak, so all codings may share it (RFC 9110 §8.8.1).
    reply.headers({ 'content-encoding': coding, 'content-length': made.length })
    return made
  })
}

async function contentOf(payload: unknown): Promise<Buffer | null> {
  if (typeof payload === 'string') return Buffer.from(payload)
  if (Buffer.isBuffer(payload)) return payload
  return payload instanceof Readable ? buffer(payload) : null
}
