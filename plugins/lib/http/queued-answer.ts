import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** For each connection, the answers that wait for an earlier one. */
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

/** Does what Node does for the current answer. Code that looks later, such as Fastify, reads `closed`. */
function close(raw: ServerResponse): void {
  raw.destroy()
  Object.defineProperty(raw, 'closed', { value: true })
  raw.emit('close')
}

/**
 * Makes an answer emit `close` when its connection is gone. Node does so only for the current answer. A client that
 * pipelines (RFC 9112 §9.3.2) queues further answers behind a stream. These would never emit `close`.
 */
export function closeWithConnection(raw: ServerResponse): void {
  const { socket } = raw.req
  const hasItsTurn = raw.socket !== null
  if (hasItsTurn || raw.destroyed) return
  if (socket.destroyed) close(raw)
  else join(queues.get(socket) ?? openQueue(socket), raw)
}
