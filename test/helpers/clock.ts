/** The time of every test clock, in ms. A whole second. */
export const START = Date.UTC(2026, 0, 1)

/** A clock that stands still until a test moves it. */
export class TestClock {
  readonly read = () => this.now

  /** @param now in ms */
  constructor(public now = START) {}

  advance(seconds: number): void {
    this.now += seconds * 1000
  }
}
