import type { FastifyRequest } from 'fastify'

/**
 * The client's address, according to `TRUST_PROXY`. Empty if the request has no `ip`: over a Unix socket, or when the
 * client is gone.
 */
export function clientAddress({ ip }: Pick<FastifyRequest, 'ip'>): string {
  return ip ?? ''
}
