import { test } from 'tap'
import { createBackoff } from '../../../../plugins/lib/client/backoff.js'
import { findEnvironment } from '../../../../plugins/lib/client/environment.js'

const backoffWith = (random: number) =>
  createBackoff({ ...findEnvironment(), now: () => 0, random: () => random })

test('each wait is twice as long, up to a minute, and half of it is random', async (t) => {
  for (const [random, share] of [
    [0, 0.5],
    [1, 1],
  ] as const) {
    const backoff = backoffWith(random)
    for (const wait of [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
      backoff.fail()
      t.equal(backoff.left(), wait * share)
    }
    backoff.reset()
    t.equal(backoff.left(), 0)
  }
})

test('a longer Retry-After is obeyed, also when the network is back', async (t) => {
  const backoff = backoffWith(1)
  backoff.fail(new Response(null, { headers: { 'retry-after': '120' } }))
  t.equal(backoff.left(), 120_000)
  backoff.excuse()
  t.equal(backoff.left(), 120_000)
  backoff.reset()
  backoff.fail()
  backoff.excuse()
  t.ok(backoff.left() <= 0)
})

test('a Retry-After of more than a timer can wait is obeyed for as long as it can', async (t) => {
  const clock = { now: 0 }
  const backoff = createBackoff({ ...findEnvironment(), now: () => clock.now, random: () => 1 })
  for (const seconds of ['2592000', '99999999999999', '1e400']) {
    backoff.fail(new Response(null, { headers: { 'retry-after': seconds } }))
    t.equal(backoff.left(), 2 ** 31 - 1, seconds)
    clock.now += 2 ** 31 - 1
    t.ok(backoff.left() > 0, 'and then it goes on')
  }
})
