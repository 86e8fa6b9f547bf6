import { isIPv4 } from 'node:net'
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { answerNotFound } from '../http/failures.js'

/** Of an IP address. A path of a Unix socket is none: anybody may be behind it. */
const isLoopback = (address: string) => address === '::1' || (isIPv4(address) && address.startsWith('127.'))

/** A `Host` without its port, if it is a loopback name. A page of another site cannot have one (DNS rebinding). */
function isLoopbackHost(host: string): boolean {
  const [, name = ''] = /^(localhost|[\d.]+|\[::1\])(?::\d{1,5})?$/i.exec(host) ?? []
  return name.toLowerCase() === 'localhost' || name === '[::1]' || isLoopback(name)
}

/**
 * Whether the request came from this machine: the server listens on loopback alone, and `Host` is a loopback name. If a
 * trusted proxy forwards the request, the same must hold for the client and the host that it names: anybody can ask a
 * public proxy for `localhost`.
 */
export function isFromThisMachine(request: FastifyRequest): boolean {
  const addresses = request.server.addresses()
  return (
    addresses.length > 0 &&
    addresses.every((bound) => typeof bound === 'object' && isLoopback(bound.address)) &&
    isLoopback(request.ip) &&
    isLoopbackHost(request.raw.headers.host ?? '') &&
    isLoopbackHost(request.host)
  )
}

/** A proxy's `X-Forwarded-Proto` may be anything, and this becomes part of a policy. */
export const schemeOf = ({ protocol }: FastifyRequest) => (protocol === 'https' ? 'https' : 'http')

/** Where the browser has found this server. The gate has let only loopback names through. */
export const ownOrigin = (request: FastifyRequest) => `${schemeOf(request)}://${request.host}`

/** Answers anybody else like an unknown path. */
export function hideFromOthers(
  request: FastifyRequest,
  reply: FastifyReply,
  done: HookHandlerDoneFunction,
): void {
  if (isFromThisMachine(request)) done()
  else answerNotFound(request, reply)
}
