import { type Closing, reasonOf } from './connections.js'
import type { LiveSocket } from './contract.js'
import type { Member } from './watched.js'

/** The events by which `ws` hands over what a peer has sent. */
const FROM_PEER = new Set(['message', 'ping', 'pong'])
/** How long the peer has for its close frame, in ms. */
const CLOSE_WITHIN = 1000
/** `readyState` of an open one (WHATWG WebSockets §3.1). */
const OPEN = 1

/** Close codes of the suite, by the error's code. 4000 to 4999 are for applications (RFC 6455 §7.4.2). */
const CODES = {
  signed_out: 4401,
  credential_expired: 4408,
  // "Service Restart" and "Try Again Later", in the registry of RFC 6455 §11.7.
  stopping: 1012,
  store_unavailable: 1013,
  throttled: 1013,
}

/**
 * A gate between a socket and the application. It replaces `emit` of the socket, and so stands before every listener,
 * iterator and stream, added earlier or later. A peer that ignores the close frame and goes on sending reaches nobody.
 */
export class BoundSocket implements Member {
  readonly #socket: LiveSocket
  readonly #emit: LiveSocket['emit']
  readonly #close: LiveSocket['close']
  /** Messages that came while the sign-in was in doubt. */
  #held: unknown[][] = []
  #isPaused = false
  #isOver = false
  closedFor: Closing | 'other' = 'other'

  /** @param check whether a message may pass now; null: it must wait for `sure` or `end` */
  constructor(
    socket: LiveSocket,
    private readonly check: () => boolean | null,
  ) {
    this.#socket = socket
    this.#emit = socket.emit
    this.#close = socket.close
    socket.emit = (...event) => (this.#passes(event) ? Reflect.apply(this.#emit, socket, event) : false)
    socket.close = (code, reason) => this.#closeLater(code, reason)
  }

  end(reason: Error): void {
    this.#finish(reasonOf(reason))
  }

  stop(): void {
    this.#finish('stopping')
  }

  /** There are too many. */
  refuse(): void {
    this.#finish('throttled')
  }

  /** Hands over what was held back. Each message may end the sign-in. */
  sure(): void {
    for (let event = this.#held.shift(); event && !this.#isOver; event = this.#held.shift())
      Reflect.apply(this.#emit, this.#socket, event)
    this.#resume()
  }

  /** The socket has closed: nothing comes any more. */
  closed(): void {
    this.#held = []
    this.#isOver = true
  }

  /** Holds messages back from now on. */
  hold(): void {
    if (this.#isPaused || this.#socket.isPaused) return
    this.#isPaused = true
    this.#socket.pause()
  }

  #passes(event: Parameters<LiveSocket['emit']>): boolean {
    if (!FROM_PEER.has(event[0])) return true
    if (this.#isOver) return false
    const isLive = this.#held.length > 0 ? null : this.check()
    if (isLive === null) {
      this.#held.push(event)
      this.hold()
    }
    return isLive === true
  }

  #finish(reason: Closing): void {
    if (this.#isOver) return
    this.closed()
    const socket = this.#socket
    if (socket.readyState === OPEN) this.closedFor = reason
    // The peer's close frame must be read.
    this.#resume()
    Reflect.apply(this.#close, socket, [CODES[reason], reason])
    const timer = setTimeout(() => socket.terminate(), CLOSE_WITHIN)
    socket.on('close', () => clearTimeout(timer))
  }

  #resume(): void {
    if (this.#isPaused) this.#socket.resume()
    this.#isPaused = false
  }

  /**
   * A stopping server should say so. But if @fastify/websocket was registered first, it closes its sockets before the suite
   * hears of the stop, and without a code. A close without a code therefore waits for a turn of the event loop.
   */
  #closeLater(code: number | undefined, reason: string | undefined): void {
    const close = () => void Reflect.apply(this.#close, this.#socket, [code, reason])
    if (code === undefined && !this.#isOver) setImmediate(close)
    else close()
  }
}
