interface Waiting {
  readonly write: () => boolean
  readonly resolve: (result: boolean) => void
  readonly reject: (error: unknown) => void
}

/**
 * Puts all writes of one turn of the event loop into one transaction. The commit waits for the disk and blocks the
 * process, not the writes in it.
 */
export class GroupCommit {
  readonly #atomically: (work: () => void) => void
  #waiting: Waiting[] = []

  /** @param atomically runs the work in one transaction, or throws */
  constructor(atomically: (work: () => void) => void) {
    this.#atomically = atomically
  }

  /** Resolves when the write is committed. If one write of a group fails, none of the group is committed. */
  run(write: () => boolean): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ write, resolve, reject })
      if (this.#waiting.length === 1) setImmediate(() => this.#commit())
    })
  }

  #commit(): void {
    const group = this.#waiting
    const results: boolean[] = []
    this.#waiting = []
    try {
      this.#atomically(() => {
        for (const { write } of group) results.push(write())
      })
    } catch (error) {
      for (const { reject } of group) reject(error)
      return
    }
    for (const [index, { resolve }] of group.entries()) resolve(results[index] ?? false)
  }
}
