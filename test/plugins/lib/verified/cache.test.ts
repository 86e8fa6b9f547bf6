// In a process of its own: it measures the heap.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { CACHE_AGE, checkCacheOptions, VerifiedCache } from '../../../../plugins/lib/verified/cache.js'
import { Verified } from '../../../../plugins/lib/verified/verified.js'
import { ALICE, identityFor, START } from '../../../helpers/suite.js'

const MIB = 1024 * 1024
const REF = { epoch: 1, generation: 7 }
const FOREVER = Number.MAX_SAFE_INTEGER

const textOf = (index: number) => `v1.${String(index).padStart(60, '0')}`
const credential = (text: string, from = START, until = FOREVER): Verified =>
  new Verified(identityFor(ALICE, 'cookie'), text, REF, from, until)

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

function heapUsed(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

/** How many of these are still there. Asking makes them used. */
function countKept(cache: VerifiedCache, texts: readonly string[], now = START): number {
  return texts.filter((text) => cache.recall(text, now)).length
}

t.test('a credential is recalled by all of its text', async (t) => {
  const cache = new VerifiedCache(checkCacheOptions('tokenCache'))
  const text = textOf(1)
  cache.keep(credential(text), START)
  t.match(cache.recall(text, START), { text, accountId: ALICE.id, ...REF, kind: 'identity' })
  for (const other of [`x${text}`, text.slice(1), `w${text.slice(1)}`, `${text}x`, text.slice(0, -1), '']) {
    t.equal(cache.recall(other, START), undefined, JSON.stringify(other))
  }
})

t.test('of two whose ends are equal, one is never taken for the other', async (t) => {
  const cache = new VerifiedCache(checkCacheOptions('tokenCache'))
  const [one, other] = ['one', 'other'].map((start) => start + 'x'.repeat(100))
  if (!one || !other) return t.fail()
  cache.keep(credential(one), START)
  t.equal(cache.recall(other, START), undefined)
  cache.keep(credential(other), START)
  t.equal(cache.recall(other, START)?.text, other)
  t.equal(cache.recall(one, START), undefined, 'verified again')
})

t.test('it is recalled from when it was verified on, and until its end', async (t) => {
  const cache = new VerifiedCache(checkCacheOptions('tokenCache'))
  cache.keep(credential(textOf(1), START, START + 1000), START)
  const times = { [START - 1]: false, [START]: true, [START + 999]: true, [START + 1000]: false }
  for (const [now, there] of Object.entries(times)) {
    t.equal(cache.recall(textOf(1), Number(now)) !== undefined, there, `at ${Number(now) - START}`)
  }
  t.equal(cache.recall(textOf(1), Number.NaN), undefined, 'a clock that has lost the time')
  cache.keep(credential(textOf(2), START, START), START)
  t.equal(cache.recall(textOf(2), START), undefined, 'no time at all')
})

t.test('it counts what it recalled, and what it could not', async (t) => {
  const cache = new VerifiedCache(checkCacheOptions('tokenCache'))
  cache.keep(credential(textOf(1), START, START + 1000), START)
  t.same([cache.hits, cache.misses], [0, 0])
  cache.recall(textOf(1), START)
  t.same([cache.hits, cache.misses], [1, 0])
  cache.recall(textOf(2), START)
  cache.recall(textOf(1), START + 1000)
  t.same([cache.hits, cache.misses], [1, 2])
})

t.test('what is handed out is frozen', async (t) => {
  const cache = new VerifiedCache(checkCacheOptions('tokenCache'))
  cache.keep(credential(textOf(1)), START)
  const cached = cache.recall(textOf(1), START)
  t.ok(cached && Object.isFrozen(cached))
})

t.test('no more than max are kept, and those in use stay', async (t) => {
  const cache = new VerifiedCache(checkCacheOptions('tokenCache', 100))
  const texts = Array.from({ length: 1000 }, (_, index) => textOf(index))
  for (const text of texts) {
    cache.keep(credential(text), START)
    t.ok(cache.recall(textOf(0), START), text)
  }
  t.ok(countKept(cache, texts) <= 100)
  t.ok(cache.recall(textOf(0), START))
})

t.test('no more than maxBytes are kept, by what each takes with its claims', async (t) => {
  const cache = new VerifiedCache(checkCacheOptions('tokenCache', undefined, MIB))
  const texts = Array.from({ length: 4000 }, (_, index) => textOf(index))
  for (const text of texts) cache.keep(credential(text), START)
  const kept = texts.filter((text) => cache.recall(text, START))
  const bytes = credential(textOf(0)).bytes
  t.ok(kept.length * bytes <= MIB, `${kept.length} of ${bytes} bytes`)
  t.ok(kept.length * bytes > MIB / 3, 'and not much less')

  const claims = Object.freeze({ note: 'x'.repeat(10_000) })
  const identity = Object.freeze({ ...identityFor(ALICE, 'session'), claims })
  const large = new Verified(identity, textOf(1), REF, START, FOREVER)
  t.ok(large.bytes > 10_000 + bytes)
  const huge = new Verified(identity, 'x'.repeat(MIB), REF, START, FOREVER)
  const before = countKept(cache, kept)
  cache.keep(huge, START)
  t.equal(cache.recall(huge.text, START), undefined, 'one that would take half of it is not kept')
  t.equal(countKept(cache, kept), before, 'and displaces nothing')
})

t.test('one that is kept again, or in another spelling, takes the room of one', async (t) => {
  const cache = new VerifiedCache(checkCacheOptions('tokenCache', undefined, MIB))
  const others = Array.from({ length: 100 }, (_, index) => textOf(index))
  for (const text of others) cache.keep(credential(text), START)
  const scheme = (index: number) => (index % 2 ? 'Bearer ' : 'bearer ')
  for (let index = 0; index < 10_000; index++) cache.keep(credential(scheme(index) + textOf(1000)), START)
  t.equal(countKept(cache, others), others.length, 'and displaces nothing')

  const texts = Array.from({ length: 4000 }, (_, index) => textOf(index))
  for (const text of texts) for (const each of [text, textOf(4000)]) cache.keep(credential(each), START)
  t.ok(countKept(cache, texts) * credential(textOf(0)).bytes <= MIB, 'and makes no room')
})

t.test('one that could never serve is not kept, and displaces nothing', async (t) => {
  const cache = new VerifiedCache(checkCacheOptions('tokenCache', 10))
  const used = textOf(0)
  cache.keep(credential(used), START)
  for (let index = 1; index < 100; index++) cache.keep(credential(textOf(index), START, START), START)
  t.ok(cache.recall(used, START))
})

t.test('of the header that a credential was cut out of, nothing stays in memory', async (t) => {
  const cache = new VerifiedCache(checkCacheOptions('tokenCache'))
  const before = heapUsed()
  for (let index = 0; index < 1000; index++) {
    const header = `${index}${'x'.repeat(15_000)}; identity=${textOf(index)}`
    // Flat, as a parser makes it.
    const text = Buffer.from(header).toString('latin1').slice(-textOf(0).length)
    cache.keep(credential(text), START)
  }
  const each = (heapUsed() - before) / 1000
  t.ok(each < 3000, `${Math.round(each)} bytes for each`)
  t.ok(cache.recall(textOf(999), START))
})

t.test('what is not used is gone after twice its age', async (t) => {
  const cache = new VerifiedCache(checkCacheOptions('tokenCache'))
  cache.keep(credential(textOf(1)), START)
  cache.keep(credential(textOf(2)), START)
  for (let age = 1; age <= 3; age++) {
    const now = START + age * CACHE_AGE
    cache.keep(credential(textOf(100 + age)), now)
    t.ok(cache.recall(textOf(1), now), 'used')
  }
  t.equal(cache.recall(textOf(2), START + 3 * CACHE_AGE), undefined)
})

t.test('a clock that is set back does not make it stay longer', async (t) => {
  const cache = new VerifiedCache(checkCacheOptions('tokenCache'))
  const unused = credential(textOf(1), 0)
  cache.keep(unused, START)
  for (let age = 0; age < 2; age++) cache.keep(credential(textOf(2), 0), START / 2 + age * CACHE_AGE)
  t.equal(cache.recall(unused.text, START), undefined)
})

t.test('options that would keep nothing, or no end of it, are refused', async (t) => {
  t.same(checkCacheOptions('tokenCache'), { max: 1_000_000, maxBytes: 256 * MIB })
  for (const max of [0, 1, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(
      () => checkCacheOptions('tokenCache', max),
      { code: 'OPTION_INVALID', message: /tokenCache/ },
      String(max),
    )
    t.throws(() => checkCacheOptions('tokenCache', 2, max), { code: 'OPTION_INVALID', message: /cacheBytes/ })
  }
})
