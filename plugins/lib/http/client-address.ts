import type { FastifyRequest } from 'fastify'

/**
 * Who asks, as `TRUST_PROXY` lets it be known. Empty where there is no address, whatever Fastify's types say: of who
 * comes through a Unix socket, and of a client that went away before it was asked for.
 */
export function clientAddress({ ip }: Pick<FastifyRequest, 'ip'>): string {
  return ip ?? ''
}
