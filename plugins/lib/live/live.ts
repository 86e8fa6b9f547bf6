import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AccountId } from '../contract.js'
import { Throttled } from '../errors.js'
import { closeWithConnection } from '../http/queued-answer.js'
import { type Found, foundCaller } from '../identity/caller.js'
import { kReply } from '../identity/sign-in.js'
import { accountIdText } from '../options.js'
import type { Changes } from './changes.js'
import type { Connections } from './connections.js'
import type { Live, LiveSocket } from './contract.js'
import type { Deadline, Deadlines } from './deadlines.js'
import { BoundSocket } from './socket.js'
import { BoundStream } from './stream.js'
import type { Watch } from './watch.js'
import type { Member, Watched } from './watched.js'

/** `readyState` of a socket that is closing or closed. */
const CLOSING = 2

/** When a client may try again, in seconds. */
const RETRY_AFTER = 15
const TOO_MANY = 'Too many open connections. Close some of them first.'

const kSignal = Symbol('fastify-identity.end-signal')

declare module 'fastify' {
  interface FastifyRequest {
    [kSignal]?: AbortSignal
  }
}

export interface LiveParts {
  readonly watch: Watch
  readonly changes: Changes
  readonly connections: Connections
  /** The maximum of open connections of one sign-in. */
  readonly cap: number
  readonly deadlines: Deadlines
  /** When a connection that the request opens ends before its sign-in. Null: it does not. */
  deadlineOf(request: FastifyRequest, found: Found): Deadline | null
  /** Makes the refusal of a request whose sign-in has ended since its guard ran. */
  refuse(reason: Error): Error
}

/** See `Live`. */
export class LiveConnections implements Live {
  readonly #bound = new WeakMap<LiveSocket, Watched>()
  #isStopping = false

  constructor(private readonly parts: LiveParts) {}

  get open(): number {
    return this.parts.connections.open
  }

  bindSocket(request: FastifyRequest, socket: LiveSocket): void {
    const found = foundCaller(request, 'identity')
    if (socket.readyState >= CLOSING || isOf(this.#bound.get(socket), found)) return
    const { watch, deadlines } = this.parts
    if (this.#isFull(found)) {
      new BoundSocket(socket, () => false).refuse()
      return
    }
    const sure = () => void (watch.check(watched) === true && bound.sure())
    const bound = new BoundSocket(socket, () => {
      const isInTime = deadlines.check(bound, sure)
      return isInTime === true ? watch.check(watched) : isInTime
    })
    const watched = this.#open(request, found, bound)
    this.#bound.set(socket, watched)
    socket.on('close', () => {
      bound.closed()
      this.#close(watched, bound)
    })
    if (this.#isStopping) bound.stop()
    else if (watch.check(watched) === null) bound.hold()
  }

  bindStream(request: FastifyRequest, reply: FastifyReply): void {
    // Its listeners are called first, and may write a last event.
    const { reason } = endSignal(request, this.parts)
    if (reason instanceof Error) throw this.parts.refuse(reason)
    if (isOver(reply)) return
    const found = foundCaller(request, 'identity')
    if (this.#isFull(found)) throw Object.assign(new Throttled(RETRY_AFTER), { message: TOO_MANY })
    const bound = new BoundStream(reply.raw)
    const watched = this.#open(request, found, bound)
    reply.raw.once('close', () => this.#close(watched, bound))
    if (this.#isStopping) bound.stop()
  }

  onSignIns(accountId: AccountId, listener: () => void): () => void {
    return this.parts.changes.listen(accountIdText(accountId), listener)
  }

  /** The server stops: nothing stays open. */
  stop(): void {
    this.#isStopping = true
    this.parts.watch.stop()
  }

  /** One signed-in client must not take all of the server's connections. A refused one is counted. */
  #isFull(found: Found): boolean {
    const { watch, connections, cap } = this.parts
    const isFull = watch.connectionsOf(found) >= cap
    if (isFull) connections.refuse()
    return isFull
  }

  #open(request: FastifyRequest, found: Found, member: Bound): Watched {
    this.parts.deadlines.add(member, this.parts.deadlineOf(request, found))
    this.parts.connections.add()
    const watched = this.parts.watch.join(found, member)
    watched.connections++
    return watched
  }

  #close(watched: Watched, member: Bound): void {
    watched.connections--
    this.parts.connections.remove(member.closedFor)
    this.parts.watch.leave(watched, member)
    this.parts.deadlines.drop(member)
  }
}

type Bound = Member & Pick<BoundSocket, 'closedFor'>

function isOf(watched: Watched | undefined, { identity: { accountId, signInId } }: Found): boolean {
  return watched?.identity.accountId === accountId && watched.identity.signInId === signInId
}

const isOver = ({ raw }: FastifyReply) => raw.destroyed || raw.writableFinished || raw.req.socket.destroyed

/** `request.endSignal`. */
export function endSignal(
  request: FastifyRequest,
  { watch, deadlines, deadlineOf }: Pick<LiveParts, 'watch' | 'deadlines' | 'deadlineOf'>,
): AbortSignal {
  const known = request[kSignal]
  if (known) return known
  const found = foundCaller(request, 'endSignal')
  const controller = new AbortController()
  request[kSignal] = controller.signal
  const reply = request[kReply]
  if (!reply) return controller.signal
  closeWithConnection(reply.raw)
  if (isOver(reply)) return controller.signal
  const member: Member = { end: (reason) => controller.abort(reason) }
  const watched = watch.join(found, member)
  deadlines.add(member, deadlineOf(request, found))
  reply.raw.once('close', () => {
    watch.leave(watched, member)
    deadlines.drop(member)
  })
  watch.check(watched)
  return controller.signal
}
