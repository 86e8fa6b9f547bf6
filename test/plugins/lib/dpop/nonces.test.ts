import t from 'tap'
import { createKeyRing } from '../../../../plugins/lib/credentials/keys.js'
import { endOfBucket, NONCE_PERIOD, Nonces } from '../../../../plugins/lib/dpop/nonces.js'

const OLD = 'an older secret, long enough for a test'
const NEW = 'a newer secret, long enough for a test too'
const noncesOf = (...secrets: string[]) => new Nonces(createKeyRing(secrets).purpose('dpop-nonce'))
const START = 1000 * NONCE_PERIOD

t.test('a nonce is good in its own bucket and in the next one, and not a millisecond longer', async (t) => {
  const nonces = noncesOf(NEW)
  const nonce = nonces.current(START)
  t.match(nonce, /^[\w-]{24}$/)
  t.equal(nonces.current(START + NONCE_PERIOD - 1), nonce)
  t.not(nonces.current(START + NONCE_PERIOD), nonce)
  t.strictSame(nonces.find(nonce, START), { bucket: 1000, isCurrent: true })
  t.strictSame(nonces.find(nonce, START + NONCE_PERIOD - 1), { bucket: 1000, isCurrent: true })
  t.strictSame(nonces.find(nonce, START + NONCE_PERIOD), { bucket: 1000, isCurrent: false })
  t.equal(endOfBucket(1000), START + 2 * NONCE_PERIOD)
  t.strictSame(nonces.find(nonce, endOfBucket(1000) - 1), { bucket: 1000, isCurrent: false })
  t.equal(nonces.find(nonce, endOfBucket(1000)), null)
  t.equal(nonces.find(nonce, START - 1), null, 'nor before it is made')
})

t.test('a text that is no nonce is refused', async (t) => {
  const nonces = noncesOf(NEW)
  const nonce = nonces.current(START)
  for (const text of [
    '',
    '1000',
    `${nonce}A`,
    nonce.slice(0, -1),
    nonce.toUpperCase(),
    noncesOf(OLD).current(START),
  ])
    t.equal(nonces.find(text, START), null, text)
})

t.test('instances accept nonces of each other, also while secrets rotate', async (t) => {
  const [before, after] = [noncesOf(OLD, NEW), noncesOf(NEW, OLD)]
  t.equal(noncesOf(NEW).current(START), noncesOf(NEW, OLD).current(START))
  t.ok(before.find(after.current(START), START))
  t.ok(after.find(before.current(START), START))
  t.notOk(noncesOf(NEW).find(before.current(START), START), 'a secret that left')
})
