import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AccountId } from '../contract.js'

/** A WebSocket on the server, as the package `ws` makes them. Described without its types: it need not be installed. */
export interface LiveSocket {
  readonly readyState: number
  readonly isPaused: boolean
  close(code?: number, reason?: string): void
  terminate(): void
  pause(): void
  resume(): void
  emit(event: string, ...args: unknown[]): boolean
  on(event: 'close', listener: () => void): unknown
}

/** Sockets and streams that end with the sign-in that opened them. */
export interface Live {
  /**
   * Closes the socket when the request's sign-in ends: 4401 signed out, 4408 the credential expired, 1012 the server stops,
   * 1013 the store cannot tell any more, or the sign-in has too many connections already. From the end on no message reaches the application. Without the peer's close
   * frame the socket is terminated after a second. Call it before the first `await`, behind a guard.
   *
   * Bound again, a socket stays bound once. A socket that is closed already stays so.
   * @throws IDENTITY_UNGUARDED
   */
  bindSocket(request: FastifyRequest, socket: LiveSocket): void
  /**
   * Ends the answer, a stream such as server-sent events, when the request's sign-in ends. Its connection is closed, too.
   * `request.endSignal` is aborted before that, so that a listener can still write a last event.
   * @throws IDENTITY_UNGUARDED; SIGNED_OUT if the sign-in has ended meanwhile, STORE_UNAVAILABLE; THROTTLED if it has too many
   * connections already
   */
  bindStream(request: FastifyRequest, reply: FastifyReply): void
  /**
   * Calls the listener when an account's list of sign-ins may have changed, on whatever instance. Best effort: a call may be
   * lost, and one may stand for several changes.
   * @returns a function that ends the subscription
   */
  onSignIns(accountId: AccountId, listener: () => void): () => void
  /** How many sockets and streams are bound now. */
  readonly open: number
}
