import { Busy } from '../errors.js'
import { Turns } from './turns.js'

/**
 * How many attempts may be under way at once: more than ever wait for the hasher. To count one takes longer than to
 * refuse it, and where hundreds come at once, all other routes wait for that too.
 */
export const MOST_UNDER_WAY = 128

/** How many begin, or are refused, in one turn of the event loop: some milliseconds of work. */
const EACH_TURN = 8

/** Sheds what the hasher would shed anyway, before it is counted: it is no attempt. */
export class UnderWay {
  readonly #isBusy: () => boolean
  readonly #turns = new Turns(EACH_TURN)
  #count = 0

  constructor(isBusy: () => boolean) {
    this.#isBusy = isBusy
  }

  /** @throws BUSY */
  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#turns.next()
    if (this.#count >= MOST_UNDER_WAY || this.#isBusy()) throw new Busy()
    this.#count += 1
    try {
      return await work()
    } finally {
      this.#count -= 1
    }
  }
}
