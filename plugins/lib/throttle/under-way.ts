import { Busy } from '../errors.js'

/**
 * How many attempts may be under way at once: more than ever wait for the hasher. To count one takes longer than to
 * refuse it, and where hundreds come at once, all other routes wait for that too.
 */
export const MOST_UNDER_WAY = 128

/** Sheds what the hasher would shed anyway, before it is counted: it is no attempt. */
export class UnderWay {
  readonly #isBusy: () => boolean
  #count = 0

  constructor(isBusy: () => boolean) {
    this.#isBusy = isBusy
  }

  /** @throws BUSY */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#count >= MOST_UNDER_WAY || this.#isBusy()) throw new Busy()
    this.#count += 1
    try {
      return await work()
    } finally {
      this.#count -= 1
    }
  }
}
