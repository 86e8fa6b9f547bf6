import type { Counters } from './counters.js'

/** One more is to be counted. `keep` is in seconds of the store's own clock. */
export interface Taking {
  readonly subject: string
  /** What the counter was chosen by: the number that must be stored under the subject still. */
  readonly seen: number
  readonly counter: string
  readonly most: number
  readonly keep: number
}

/**
 * What the limits ask of counters. A subject's counter may be a name made of the subject's and more: on a cluster
 * they are in one slot, by what the subject has in braces. Every method rejects on a fault.
 */
export interface Steps {
  /** What is stored under the subject, or likely to be: the others say what was there. */
  expect(subject: string): Promise<number>
  /** What is stored under the subject, and how many are counted. */
  look(subject: string, counter: string): Promise<{ readonly stored: number; readonly count: number }>
  /**
   * Counts one more, unless that makes more than `most`, or something else than `seen` is stored by now.
   * @returns what is stored, and how many are counted with this one: null where it is not
   */
  take(taking: Taking): Promise<{ readonly stored: number; readonly count: number | null }>
  /** Takes one off the counter. @returns what is stored under the subject */
  release(subject: string, counter: string, keep: number): Promise<number>
  /** Writes `value` in the place of `seen`. @returns what was stored: something else where nothing was written */
  replace(subject: string, seen: number, value: number, keep: number): Promise<number>
}

/** Counters that bring these steps along, each as one atomic command. */
export interface SteppedCounters extends Counters {
  readonly steps: Steps
}

function hasSteps(counters: Counters): counters is SteppedCounters {
  return 'steps' in counters
}

/** The counters' own steps; where there are none, one thing after the other, which is cheap in a process. */
export function stepsOf(counters: Counters): Steps {
  return hasSteps(counters) ? counters.steps : stepwise(counters)
}

function stepwise(counters: Counters): Steps {
  return {
    expect: (subject) => counters.read(subject),
    async look(subject, counter) {
      return { stored: await counters.read(subject), count: await counters.read(counter) }
    },
    /** Counted first and judged by what the count is then. What is refused is taken off again. */
    async take({ seen, counter, most, keep }) {
      if (most === 0) return { stored: seen, count: null }
      const count = await counters.add(counter, 1, keep)
      if (count <= most) return { stored: seen, count }
      await counters.add(counter, -1, keep)
      return { stored: seen, count: null }
    },
    async release(subject, counter, keep) {
      await counters.add(counter, -1, keep)
      return counters.read(subject)
    },
    async replace(subject, seen, value, keep) {
      const stored = await counters.read(subject)
      if (stored === seen) await counters.write(subject, value, keep)
      return stored
    },
  }
}
