import type { ServerResponse } from 'node:http'
import { type Closing, reasonOf } from './connections.js'
import type { Member } from './watched.js'

/** How long the peer has to read what was written, in ms. */
const READ_WITHIN = 1000

/** An answer that goes on until the sign-in ends. */
export class BoundStream implements Member {
  closedFor: Closing | 'other' = 'other'

  constructor(private readonly raw: ServerResponse) {
    // The application may write once more before it hears of the end. Without a listener, that would end the process.
    raw.on('error', () => {})
  }

  end(reason: Error): void {
    this.#finish(reasonOf(reason))
  }

  stop(): void {
    this.#finish('stopping')
  }

  #finish(reason: Closing): void {
    const { raw } = this
    if (this.closedFor !== 'other' || raw.destroyed) return
    this.closedFor = reason
    // Without headers it would be an empty answer, with status 200.
    if (!raw.headersSent) raw.destroy()
    // Listeners of the signal may have written to a piped stream: send that first.
    else setImmediate(() => endWithConnection(raw))
  }
}

/** An open connection would delay the stop of a server until the keep-alive timeout. */
function endWithConnection(raw: ServerResponse): void {
  // A connection of HTTP/2 carries other streams, and may not be touched.
  const socket = raw.req.httpVersionMajor === 1 ? raw.socket : null
  const timer = setTimeout(() => raw.destroy(), READ_WITHIN)
  raw.once('close', () => {
    clearTimeout(timer)
    socket?.destroySoon()
  })
  raw.end()
}
