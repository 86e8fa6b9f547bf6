interface Waiting<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/** The largest batch. A script that writes more would block Redis for too long. */
const BATCH = 500

/** Runs one batch at a time. Items that come meanwhile wait for the next batch. */
export class Batches<Item, Result> {
  readonly #run: (items: readonly Item[]) => Promise<Result>
  #waiting: Waiting<Item, Result>[] = []
  #isRunning = false

  constructor(run: (items: readonly Item[]) => Promise<Result>) {
    this.#run = run
  }

  /** @returns the result of its batch */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      if (!this.#isRunning) void this.#drain()
    })
  }

  /** Rejects all waiting items. Nothing is done for them. */
  refuse(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }

  async #drain(): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH)
      try {
        const result = await this.#run(batch.map(({ item }) => item))
        for (const { resolve } of batch) resolve(result)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#isRunning = false
  }
}
