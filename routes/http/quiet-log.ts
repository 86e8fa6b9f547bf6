import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionError, FastifyInstance, FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { Answer } from './answer.js'
import { BARE_HEADERS } from './security-headers.js'

const API_KEY = /fik_\w+/g

/**
 * People sometimes type a password in place of the username in a path, or a whole API key in place of its id. So only the
 * route is logged. Where there is no such route, at least a key is cut off.
 */
function pathOf({ url, routeOptions }: FastifyRequest): string {
  const route = routeOptions.url
  return route?.includes(':') ? route : url.replace(/[?#].*/s, '?…').replace(API_KEY, 'fik_…')
}

/**
 * Logs only the path of a request. We never make links with a token in the query, but people and other programs do.
 * More people may read a log than may know a credential.
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
 * Options of a route that programs call every few seconds. At `info`, only its failures are logged, since all other
 * lines would be equal. At `debug`, all its requests are logged.
 */
export function quietRoute({ log }: FastifyInstance): Pick<RouteShorthandOptions, 'logLevel'> {
  return log.level === 'info' ? { logLevel: 'warn' } : {}
}

const REFUSALS: Readonly<Record<string, Answer>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { code: 408, msg: 'The request took too long.', error: 'REQUEST_TIMEOUT' },
  HPE_HEADER_OVERFLOW: { code: 431, msg: 'The headers are too large.', error: 'HEADERS_TOO_LARGE' },
}
const MALFORMED: Answer = { code: 400, msg: 'The request is not valid HTTP.', error: 'REQUEST_MALFORMED' }

/**
 * Answers a request that the HTTP parser refused. Fastify's own handler logs the whole error at `trace`. Its
 * `rawPacket` contains the received bytes, with cookies and passwords.
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
