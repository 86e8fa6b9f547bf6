import { TestClock as SuiteClock } from '../../plugins/lib/testing.js'

/** The time of every test clock, in ms. A whole second. */
export const START = Date.UTC(2026, 0, 1)

/** A clock that stands still until a test moves it. */
export class TestClock extends SuiteClock {
  constructor(now = START) {
    super(now)
  }
}
