import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** The answers of a connection that wait for an earlier one. */
const queues = new WeakMap<Socket, Set<ServerResponse>>()

/** One listener for each connection: a client may queue any number of requests. */
function openQueue(socket: Socket): Set<ServerResponse> {
  const queue = new Set<ServerResponse>()
  queues.set(socket, queue)
  socket.once('close', () => {
    for (const raw of queue) close(raw)
  })
  return queue
}

function join(queue: Set<ServerResponse>, raw: ServerResponse): void {
  queue.add(raw)
  const leave = () => queue.delete(raw)
  raw.once('socket', leave)
  raw.once('close', leave)
}

/** As Node does it for the answer whose turn it is. `closed` is for code that asks later, such as Fastify. */
function close(raw: ServerResponse): void {
  raw.destroy()
  Object.defineProperty(raw, 'closed', { value: true })
  raw.emit('close')
}

/**
 * Makes an answer emit `close` when its connection is gone. Node tells only the answer whose turn it is. A client that
 * pipelines (RFC 9112 §9.3.2) queues further ones behind a stream, and nobody would ever hear that they are over.
 */
export function closeWithConnection(raw: ServerResponse): void {
  const { socket } = raw.req
  const hasItsTurn = raw.socket !== null
  if (hasItsTurn || raw.destroyed) return
  if (socket.destroyed) close(raw)
  else join(queues.get(socket) ?? openQueue(socket), raw)
}
