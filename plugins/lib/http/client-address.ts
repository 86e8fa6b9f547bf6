import type { FastifyRequest } from 'fastify'

/** The client's address, according to `TRUST_PROXY`. Empty for a Unix socket and for a client that is gone: it has no `ip` then. */
export function clientAddress({ ip }: Pick<FastifyRequest, 'ip'>): string {
  return ip ?? ''
}
