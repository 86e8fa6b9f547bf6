/**
 * Lets a few begin in each turn of the event loop. What arrives together would otherwise be handled together, and
 * whoever asks for something else meanwhile waits for the last of them.
 */
export class Turns {
  readonly #each: number
  #waiting: (() => void)[] = []

  /** @param each how many begin in one turn */
  constructor(each: number) {
    this.#each = each
  }

  /** Resolves in a turn to come, in the order of asking. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      if (this.#waiting.length === 1) setImmediate(() => this.#release())
    })
  }

  #release(): void {
    const released = this.#waiting.slice(0, this.#each)
    this.#waiting = this.#waiting.slice(this.#each)
    for (const resolve of released) resolve()
    if (this.#waiting.length > 0) setImmediate(() => this.#release())
  }
}
