import t from 'tap'
import { checkClock, checkSeconds, refuseUnknown, SECONDS_MAX } from '../../../plugins/lib/options.js'

t.test('whole seconds from one to ten years are a duration', async (t) => {
  for (const seconds of [1, 900, SECONDS_MAX]) t.equal(checkSeconds('ttl', seconds), seconds)
})

t.test(
  'a duration that would make a credential immortal, or dead at birth, is refused by name',
  async (t) => {
    for (const value of [
      0,
      -1,
      -0,
      0.5,
      1.5,
      NaN,
      Infinity,
      -Infinity,
      SECONDS_MAX + 1,
      2 ** 53,
      '900',
      null,
      undefined,
      900n,
      [900],
    ]) {
      t.throws(
        () => checkSeconds('ttl', value as number),
        { code: 'OPTION_INVALID', message: /^The option ttl / },
        String(value),
      )
    }
  },
)

t.test('a clock is a function', async (t) => {
  t.equal(checkClock(() => 7)(), 7)
  for (const value of [0, null, undefined, new Date(0), '1']) {
    t.throws(() => checkClock(value as never), { code: 'OPTION_INVALID', message: /clock/ }, String(value))
  }
})

t.test('a clock with fractions is floored, since stores keep whole milliseconds', async (t) => {
  t.equal(checkClock(() => 1234.75)(), 1234)
})

t.test('an option that nobody reads is refused by name', async (t) => {
  t.throws(() => refuseUnknown(JSON.parse('{"tl":5}'), { ttl: true }), {
    code: 'OPTION_INVALID',
    message: /tl is unknown/,
  })
  refuseUnknown<object>(JSON.parse('{"ttl":5,"prefix":"/x","logLevel":"warn"}'), { ttl: true } as object)
})
