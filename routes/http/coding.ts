import type { FastifyReply } from 'fastify'

/** The content codings of our files (RFC 9110 §8.4.1). Identity means: not compressed. */
export type Coding = 'br' | 'gzip' | 'identity'

const WEIGHT = /^([^;\s]+)(?:\s*;\s*q=([01](?:\.\d{0,3})?))?$/i

/** The weights of an `Accept-Encoding`, by coding. Malformed members are left out. */
function weightsOf(header: string): ReadonlyMap<string, number> {
  const members = header.split(',').map((member) => WEIGHT.exec(member.trim()))
  return new Map(
    members.flatMap((found) => (found ? [[String(found[1]).toLowerCase(), Number(found[2] ?? 1)]] : [])),
  )
}

/**
 * The coding to answer with (RFC 9110 §12.5.3): the one with the highest weight, and of equal ones the first.
 * @param available the best one first
 * @returns null if the client accepts none
 */
export function chooseCoding(header: string | undefined, available: readonly Coding[]): Coding | null {
  if (header === undefined) return 'identity'
  const weights = weightsOf(header)
  // Identity is acceptable unless it is excluded, but any listed coding is better.
  const weightOf = (coding: Coding) =>
    weights.get(coding) ?? weights.get('*') ?? (coding === 'identity' ? Number.MIN_VALUE : 0)
  const best = available.reduce((one, other) => (weightOf(other) > weightOf(one) ? other : one))
  return weightOf(best) > 0 ? best : null
}

/** Adds the request headers that an answer depends on. CORS may have named one before. */
export function addVary(reply: FastifyReply, ...fields: readonly string[]): void {
  const named = reply.getHeader('vary')
  reply.header('vary', [...(named ? [String(named)] : []), ...fields].join(', '))
}
