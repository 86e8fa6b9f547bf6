import { Busy } from '../errors.js'

/**
 * Parallel attempts, more than the hash queue ever holds. Counting an attempt takes longer than refusing it, and
 * hundreds at once would delay all other routes.
 */
export const MOST_UNDER_WAY = 128

/** Attempts in one turn of the event loop: some milliseconds of work. */
const EACH_TURN = 8

/** Lets a few begin in each turn of the event loop, so that other requests need not wait for all of them. */
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

/** Sheds attempts that the hasher would shed, before they are counted. */
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
