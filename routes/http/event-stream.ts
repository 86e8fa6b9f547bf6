import { Readable } from 'node:stream'

/** Proxies close a silent connection after a minute, some after 30 s. In ms. */
const COMMENT_EVERY = 20_000
/** The maximum of unread events, in bytes. A reader that is further behind is dropped. */
const UNREAD_MAX = 16 * 1024

/** Server-sent events (WHATWG HTML §9.2). */
export class EventStream extends Readable {
  readonly #timer: NodeJS.Timeout
  #hasEnded = false

  /** @param commentEvery in ms */
  constructor(commentEvery = COMMENT_EVERY) {
    super()
    this.#timer = setInterval(() => this.#write(':\n\n'), commentEvery).unref()
  }

  send(event: string, data: object): void {
    this.#write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  /** Ends the stream after what was sent. */
  finish(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.push(null)
  }

  override _read(): void {}

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearInterval(this.#timer)
    this.#hasEnded = true
    done(error)
  }

  #write(text: string): void {
    if (this.#hasEnded) return
    if (this.readableLength > UNREAD_MAX) this.destroy()
    else this.push(text)
  }
}

/** Calls `call` at most once in `ms`: at once, and again at the end if it was wanted meanwhile. */
export function atMostEvery(ms: number, call: () => void): () => void {
  let isWaiting = false
  let isWanted = false
  return function callOrWait() {
    isWanted = true
    if (isWaiting) return
    isWanted = false
    isWaiting = true
    call()
    const next = () => {
      isWaiting = false
      if (isWanted) callOrWait()
    }
    setTimeout(next, ms).unref()
  }
}
