import { setImmediate as nextTurn } from 'node:timers/promises'

interface Waiting<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/** The largest batch. More writes at once would block Redis, or this process, for too long. */
const BATCH = 500

/**
 * Handles items in batches, one batch at a time. The items of one turn of the event loop share a batch, and so do those
 * that come while a batch is handled.
 */
export class Batches<Item, Result> {
  #waiting: Waiting<Item, Result>[] = []
  #isRunning = false

  /** @param run handles a batch. It resolves with a result for each item, or rejects for all */
  constructor(private readonly run: (items: readonly Item[]) => Promise<readonly Result[]>) {}

  /** @returns the item's result */
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
      await nextTurn()
      const batch = this.#waiting.splice(0, BATCH)
      try {
        const results = await this.run(batch.map(({ item }) => item))
        for (const [index, result] of results.entries()) batch[index]?.resolve(result)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#isRunning = false
  }
}
