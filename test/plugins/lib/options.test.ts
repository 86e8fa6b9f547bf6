import t from 'tap'
import {
  checkClock,
  checkSeconds,
  checkWhole,
  refuseUnknown,
  SECONDS_MAX,
} from '../../../plugins/lib/options.js'

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

t.test('a whole number is within its range, and the refusal says which', async (t) => {
  t.strictSame([checkWhole('n', 0, 0), checkWhole('n', 5, 1, 5)], [0, 5])
  t.throws(() => checkWhole('n', 6, 1, 5), { message: /n wants a whole number from 1 to 5/ })
  t.throws(() => checkWhole('n', 1, 2), { message: /n wants a whole number, 2 or more/ })
  t.throws(() => checkWhole('n', 1, 2, undefined, 'whole bytes'), {
    message: /n wants whole bytes, 2 or more/,
  })
  t.throws(() => checkWhole('n', 2 ** 53, 0), { code: 'OPTION_INVALID' })
})

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
  t.throws(() => refuseUnknown<object>({ prefix: '/x' }, {}, []), { code: 'OPTION_INVALID' })
  refuseUnknown<object>(JSON.parse('{"ttl":5,"prefix":"/x","logLevel":"warn"}'), { ttl: true } as object)
})
