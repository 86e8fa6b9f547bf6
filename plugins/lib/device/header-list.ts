import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ModeName } from '../contract.js'

/** The fields of an answer, by header and mode. */
const kFields = Symbol('fastify-identity.device-fields')

declare module 'fastify' {
  interface FastifyRequest {
    [kFields]?: Map<string, Map<ModeName, string>>
  }
}

/** Writes a mode's member of a list header (RFC 9651 §3.1). Each mode has at most one: a later one replaces it. */
export function putField(
  request: FastifyRequest,
  reply: FastifyReply,
  header: string,
  mode: ModeName,
  field: string,
): void {
  request[kFields] ??= new Map()
  const fields = request[kFields].get(header) ?? new Map()
  request[kFields].set(header, fields.set(mode, field))
  reply.header(header, [...fields.values()].join(', '))
}
