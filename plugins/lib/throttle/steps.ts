/** One attempt to count. `keep` is in seconds of the store's clock. */
export interface Taking {
  readonly subject: string
  /** The number under the subject by which `counter` was chosen. */
  readonly seen: number
  readonly counter: string
  readonly most: number
  readonly keep: number
}

/**
 * Whole numbers under names, and the steps that the limits take on them. Each step is atomic between all who share
 * the store, and rejects on a fault. A subject and its counter have the same text in braces, and so one slot of a
 * Redis Cluster. A name without a number counts as 0. Times to keep only collect garbage: no limit relies on them.
 */
export interface Steps {
  /** The number under the subject, or a guess. The other steps return the real number. */
  expect(subject: string): number
  /** @returns the numbers under the subject and under the counter */
  look(subject: string, counter: string): Promise<{ readonly stored: number; readonly count: number }>
  /**
   * Adds one to the counter, unless that makes more than `most` or the subject's number is no longer `seen`.
   * @returns the subject's number, and the new count; null if nothing was added
   */
  take(taking: Taking): Promise<{ readonly stored: number; readonly count: number | null }>
  /** Takes one off the counter, and drops a counter of 0. @returns the subject's number */
  release(subject: string, counter: string): Promise<number>
  /** Replaces `seen` by `value`. @returns the number that was there: not `seen` if nothing was written */
  replace(subject: string, seen: number, value: number, keep: number): Promise<number>
}

/** Refuses a stored text, because a text compares as less than every limit. */
export function checked(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Error('the stored count is not a whole number')
  return value
}

/** The steps over a synchronous store. */
export abstract class LocalSteps implements Steps {
  /** 0 if there is none. */
  protected abstract read(name: string): number
  protected abstract write(name: string, value: number, keep: number): void
  /** Changes an existing number, and not its expiry. 0 removes it. */
  protected abstract change(name: string, value: number): void

  protected atomically<T>(work: () => T): T {
    return work()
  }

  expect(subject: string): number {
    return this.read(subject)
  }

  async look(subject: string, counter: string) {
    return { stored: this.read(subject), count: this.read(counter) }
  }

  async take({ subject, seen, counter, most, keep }: Taking) {
    return this.atomically(() => {
      const stored = this.read(subject)
      const count = this.read(counter) + 1
      if (stored !== seen || count > most) return { stored, count: null }
      if (count === 1) this.write(counter, count, keep)
      else this.change(counter, count)
      return { stored, count }
    })
  }

  async release(subject: string, counter: string): Promise<number> {
    return this.atomically(() => {
      this.change(counter, Math.max(this.read(counter) - 1, 0))
      return this.read(subject)
    })
  }

  async replace(subject: string, seen: number, value: number, keep: number): Promise<number> {
    return this.atomically(() => {
      const stored = this.read(subject)
      if (stored === seen) this.write(subject, value, keep)
      return stored
    })
  }
}
