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
function countKept(memo: VerifiedCache, texts: readonly string[], now = START): number {
  return texts.filter((text) => memo.recall(text, now)).length
}

t.test('a credential is recalled by all of its text', async (t) => {
  const memo = new VerifiedCache(checkCacheOptions('hot'))
  const text = textOf(1)
  memo.keep(credential(text), START)
  t.match(memo.recall(text, START), { text, accountId: ALICE.id, ...REF, kind: 'identity' })
  for (const other of [`x${text}`, text.slice(1), `w${text.slice(1)}`, `${text}x`, text.slice(0, -1), '']) {
    t.equal(memo.recall(other, START), undefined, JSON.stringify(other))
  }
})

t.test('of two whose ends are equal, one is never taken for the other', async (t) => {
  const memo = new VerifiedCache(checkCacheOptions('hot'))
  const [one, other] = ['one', 'other'].map((start) => start + 'x'.repeat(100))
  if (!one || !other) return t.fail()
  memo.keep(credential(one), START)
  t.equal(memo.recall(other, START), undefined)
  memo.keep(credential(other), START)
  t.equal(memo.recall(other, START)?.text, other)
  t.equal(memo.recall(one, START), undefined, 'verified again')
})

t.test('it is recalled from when it was verified on, and until its end', async (t) => {
  const memo = new VerifiedCache(checkCacheOptions('hot'))
  memo.keep(credential(textOf(1), START, START + 1000), START)
  const times = { [START - 1]: false, [START]: true, [START + 999]: true, [START + 1000]: false }
  for (const [now, there] of Object.entries(times)) {
    t.equal(memo.recall(textOf(1), Number(now)) !== undefined, there, `at ${Number(now) - START}`)
  }
  t.equal(memo.recall(textOf(1), Number.NaN), undefined, 'a clock that has lost the time')
  memo.keep(credential(textOf(2), START, START), START)
  t.equal(memo.recall(textOf(2), START), undefined, 'no time at all')
})

t.test('it counts what it recalled, and what it could not', async (t) => {
  const memo = new VerifiedCache(checkCacheOptions('hot'))
  memo.keep(credential(textOf(1), START, START + 1000), START)
  t.same([memo.hits, memo.misses], [0, 0])
  memo.recall(textOf(1), START)
  t.same([memo.hits, memo.misses], [1, 0])
  memo.recall(textOf(2), START)
  memo.recall(textOf(1), START + 1000)
  t.same([memo.hits, memo.misses], [1, 2])
})

t.test('what is handed out is frozen', async (t) => {
  const memo = new VerifiedCache(checkCacheOptions('hot'))
  memo.keep(credential(textOf(1)), START)
  const hot = memo.recall(textOf(1), START)
  t.ok(hot && Object.isFrozen(hot))
})

t.test('no more than max are kept, and those in use stay', async (t) => {
  const memo = new VerifiedCache(checkCacheOptions('hot', 100))
  const texts = Array.from({ length: 1000 }, (_, index) => textOf(index))
  for (const text of texts) {
    memo.keep(credential(text), START)
    t.ok(memo.recall(textOf(0), START), text)
  }
  t.ok(countKept(memo, texts) <= 100)
  t.ok(memo.recall(textOf(0), START))
})

t.test('no more than maxBytes are kept, by what each takes with its claims', async (t) => {
  const memo = new VerifiedCache(checkCacheOptions('hot', undefined, MIB))
  const texts = Array.from({ length: 4000 }, (_, index) => textOf(index))
  for (const text of texts) memo.keep(credential(text), START)
  const kept = texts.filter((text) => memo.recall(text, START))
  const bytes = credential(textOf(0)).bytes
  t.ok(kept.length * bytes <= MIB, `${kept.length} of ${bytes} bytes`)
  t.ok(kept.length * bytes > MIB / 3, 'and not much less')

  const claims = Object.freeze({ note: 'x'.repeat(10_000) })
  const identity = Object.freeze({ ...identityFor(ALICE, 'session'), claims })
  const large = new Verified(identity, textOf(1), REF, START, FOREVER)
  t.ok(large.bytes > 10_000 + bytes)
  const huge = new Verified(identity, 'x'.repeat(MIB), REF, START, FOREVER)
  const before = countKept(memo, kept)
  memo.keep(huge, START)
  t.equal(memo.recall(huge.text, START), undefined, 'one that would take half of it is not kept')
  t.equal(countKept(memo, kept), before, 'and displaces nothing')
})

t.test('one that is kept again, or in another spelling, takes the room of one', async (t) => {
  const memo = new VerifiedCache(checkCacheOptions('hot', undefined, MIB))
  const others = Array.from({ length: 100 }, (_, index) => textOf(index))
  for (const text of others) memo.keep(credential(text), START)
  const scheme = (index: number) => (index % 2 ? 'Bearer ' : 'bearer ')
  for (let index = 0; index < 10_000; index++) memo.keep(credential(scheme(index) + textOf(1000)), START)
  t.equal(countKept(memo, others), others.length, 'and displaces nothing')

  const texts = Array.from({ length: 4000 }, (_, index) => textOf(index))
  for (const text of texts) for (const each of [text, textOf(4000)]) memo.keep(credential(each), START)
  t.ok(countKept(memo, texts) * credential(textOf(0)).bytes <= MIB, 'and makes no room')
})

t.test('one that could never serve is not kept, and displaces nothing', async (t) => {
  const memo = new VerifiedCache(checkCacheOptions('hot', 10))
  const used = textOf(0)
  memo.keep(credential(used), START)
  for (let index = 1; index < 100; index++) memo.keep(credential(textOf(index), START, START), START)
  t.ok(memo.recall(used, START))
})

t.test('of the header that a credential was cut out of, nothing stays in memory', async (t) => {
  const memo = new VerifiedCache(checkCacheOptions('hot'))
  const before = heapUsed()
  for (let index = 0; index < 1000; index++) {
    const header = `${index}${'x'.repeat(15_000)}; identity=${textOf(index)}`
    // Flat, as a parser makes it.
    const text = Buffer.from(header).toString('latin1').slice(-textOf(0).length)
    memo.keep(credential(text), START)
  }
  const each = (heapUsed() - before) / 1000
  t.ok(each < 3000, `${Math.round(each)} bytes for each`)
  t.ok(memo.recall(textOf(999), START))
})

t.test('what is not used is gone after twice its age', async (t) => {
  const memo = new VerifiedCache(checkCacheOptions('hot'))
  memo.keep(credential(textOf(1)), START)
  memo.keep(credential(textOf(2)), START)
  for (let age = 1; age <= 3; age++) {
    const now = START + age * CACHE_AGE
    memo.keep(credential(textOf(100 + age)), now)
    t.ok(memo.recall(textOf(1), now), 'used')
  }
  t.equal(memo.recall(textOf(2), START + 3 * CACHE_AGE), undefined)
})

t.test('a clock that is set back does not make it stay longer', async (t) => {
  const memo = new VerifiedCache(checkCacheOptions('hot'))
  const unused = credential(textOf(1), 0)
  memo.keep(unused, START)
  for (let age = 0; age < 2; age++) memo.keep(credential(textOf(2), 0), START / 2 + age * CACHE_AGE)
  t.equal(memo.recall(unused.text, START), undefined)
})

t.test('options that would keep nothing, or no end of it, are refused', async (t) => {
  t.same(checkCacheOptions('hot'), { max: 1_000_000, maxBytes: 256 * MIB })
  for (const max of [0, 1, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(
      () => checkCacheOptions('tokenCache', max),
      { code: 'OPTION_INVALID', message: /tokenCache/ },
      String(max),
    )
    t.throws(() => checkCacheOptions('tokenCache', 2, max), { code: 'OPTION_INVALID', message: /cacheBytes/ })
  }
})
