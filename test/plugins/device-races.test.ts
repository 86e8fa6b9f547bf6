import t from 'tap'
import { TestClock } from '../helpers/clock.js'
import { deviceApp } from '../helpers/device-app.js'
import { beginDeviceRace } from '../helpers/device-races.js'
import { PLACES, raceAll } from '../helpers/races.js'

/** `FC_RUNS=50` makes it 10 000. */
const ROUNDS = 200 * Number(process.env.FC_RUNS ?? 1)

// For machines with more to do.
t.setTimeout(600_000 + 300 * ROUNDS)

for (const [name, open] of Object.entries(PLACES))
  for (const what of ['refresh', 'registration'] as const)
    t.test(`a ${what} under way undoes no sign-out: ${name}`, async (t) => {
      const stores = await open(t)
      const clock = new TestClock()
      const here = await deviceApp(t, { store: stores.here, clock })
      const there = stores.there === stores.here ? here : await deviceApp(t, { store: stores.there, clock })
      const outcomes = await raceAll(ROUNDS, (draw) => beginDeviceRace(here, there, what, draw), stores.heard)
      t.equal(outcomes.granted + outcomes.refused, ROUNDS)
      t.equal(outcomes.undone, 0)
      t.equal(outcomes.late, 0, 'what is asked for after the end is refused')
    })
