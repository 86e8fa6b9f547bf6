import t from 'tap'
import { PLACES, raceAll } from '../helpers/races.js'
import { START, tokenApp } from '../helpers/token-app.js'
import { beginTokenRace } from '../helpers/token-races.js'

/** `FC_RUNS=50` makes it 10 000. */
const ROUNDS = 200 * Number(process.env.FC_RUNS ?? 1)
const TOKEN = { dpop: { origins: ['https://example.com'] } }

// For machines with more to do.
t.setTimeout(600_000 + 300 * ROUNDS)

for (const [name, open] of Object.entries(PLACES))
  for (const [what, isBound] of Object.entries({ rotation: false, 'rotation with a proof (DPoP)': true }))
    t.test(`a ${what} under way undoes no sign-out: ${name}`, async (t) => {
      const stores = await open(t)
      const clock = { now: START }
      const start = (store: typeof stores.here) => tokenApp(t, { store, clock, token: TOKEN })
      const here = await start(stores.here)
      const there = stores.there === stores.here ? here : await start(stores.there)
      const outcomes = await raceAll(
        ROUNDS,
        (draw) => {
          // Used proofs are remembered for as long as their nonces are good.
          clock.now += 100
          return beginTokenRace(here, there, isBound, draw)
        },
        stores.heard,
      )
      t.equal(outcomes.granted + outcomes.refused, ROUNDS)
      t.equal(outcomes.undone, 0)
      t.equal(outcomes.late, 0, 'what is asked for after the end is refused')
    })
