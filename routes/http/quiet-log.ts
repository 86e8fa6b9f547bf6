import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionError, FastifyInstance, FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { Answer } from './answer.js'
import { BARE_HEADERS } from './security-headers.js'

/** Who addresses an account types its name, and now and then a password instead: the route says enough. */
function pathOf({ url, routeOptions }: FastifyRequest): string {
  const route = routeOptions.url
  return route?.includes(':username') ? route : url.replace(/[?#].*/s, '?…')
}

/**
 * How a request is logged: by its path alone. Links with a token in the query are never ours, but people and
 * other programs make them, and a log is read by more people than a credential is meant for.
 */
export const quietSerializers = {
  req(request: FastifyRequest) {
    const { method, host, ip, socket } = request
    return {
      method,
      url: pathOf(request),
      host,
      remoteAddress: ip,
      remotePort: socket.remotePort,
    }
  },
}

/**
 * Options of a route that programs ask every few seconds. At `info`, its requests are not logged: each line would say
 * the same. Failures are, and so is everything at `debug`.
 */
export function quietRoute({ log }: FastifyInstance): Pick<RouteShorthandOptions, 'logLevel'> {
  return log.level === 'info' ? { logLevel: 'warn' } : {}
}

const REFUSALS: Readonly<Record<string, Answer>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { code: 408, msg: 'The request took too long.', error: 'REQUEST_TIMEOUT' },
  HPE_HEADER_OVERFLOW: { code: 431, msg: 'The headers are too large.', error: 'HEADERS_TOO_LARGE' },
}
const MALFORMED: Answer = { code: 400, msg: 'This is not a request of HTTP.', error: 'REQUEST_MALFORMED' }

/**
 * Answers what the parser of HTTP refused. Fastify's own handler logs the error whole, at `trace`, and with it
 * the bytes that came, cookies and passwords included (`rawPacket`).
 */
export function answerClientError(this: FastifyInstance, error: ConnectionError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  this.log.trace({ code: error.code }, 'a request was refused by the parser')
  const answer = REFUSALS[error.code] ?? MALFORMED
  const body = JSON.stringify(answer)
  const head = [
    `HTTP/1.1 ${answer.code} ${STATUS_CODES[answer.code]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...Object.entries(BARE_HEADERS).map(([name, value]) => `${name}: ${value}`),
    'Connection: close',
  ]
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  socket.destroy(error)
}
