import { Busy } from 'fastify-identity/errors'

/** Runs one task at a time. A few wait, in order. Further ones are refused. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0

  /** @param most how many may run or wait */
  constructor(readonly most: number) {}

  /** @throws BUSY */
  async take<T>(task: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.most) throw new Busy()
    this.#waiting += 1
    const turn = this.#last.then(task).finally(() => {
      this.#waiting -= 1
    })
    // A failed run must not stop the next one.
    this.#last = turn.catch(() => {})
    return turn
  }
}
