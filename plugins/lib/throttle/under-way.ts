import { Busy } from '../errors.js'

/**
 * How many attempts may be under way at once: more than ever wait for the hasher. Counting an attempt takes longer
 * than refusing it, and if hundreds come at once, all other routes wait for that too.
 */
export const MOST_UNDER_WAY = 128

/** How many begin, or are refused, in one turn of the event loop: some milliseconds of work. */
const EACH_TURN = 8

/**
 * Lets a few begin in each turn of the event loop. Otherwise all that arrive together are handled together, and
 * every other request waits for the last of them.
 */
export class Turns {
  #waiting: (() => void)[] = []

  /** @param each how many begin in one turn */
  constructor(private readonly each: number) {}

  /** Resolves in a later turn, in the order of asking. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      if (this.#waiting.length === 1) setImmediate(() => this.#release())
    })
  }

  #release(): void {
    const released = this.#waiting.slice(0, this.each)
    this.#waiting = this.#waiting.slice(this.each)
    for (const resolve of released) resolve()
    if (this.#waiting.length > 0) setImmediate(() => this.#release())
  }
}

/** Sheds what the hasher would shed anyway, before it is counted: it is no attempt. */
export class UnderWay {
  readonly #turns = new Turns(EACH_TURN)
  #count = 0

  constructor(private readonly isBusy: () => boolean) {}

  /** @throws BUSY */
  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#turns.next()
    if (this.#count >= MOST_UNDER_WAY || this.isBusy()) throw new Busy()
    this.#count += 1
    try {
      return await work()
    } finally {
      this.#count -= 1
    }
  }
}
