import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { createKeyRing, type Purpose } from '../../../../plugins/lib/credentials/keys.js'
import { type PendingContent, PendingSignIns, TRIES } from '../../../../plugins/lib/factors/pending.js'
import { seal } from '../../../../plugins/lib/session/seal.js'
import type { SessionStore } from '../../../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../../../plugins/lib/stores/memory/store.js'
import { hostileTexts } from '../../../helpers/hostile.js'
import { PLACES } from '../../../helpers/races.js'
import { NEXT_SECRET, SECRET, START, TestClock } from '../../../helpers/suite.js'

const keysFor = (secrets: readonly string[], purpose: Purpose = 'pending') =>
  createKeyRing(secrets).purpose(purpose)

const CONTENT: PendingContent = {
  ...{ mode: 'cookie', sub: 'account-alice', name: 'Alice', epoch: 3, at: START },
  ...{ remember: true, claims: { team: 1 }, memo: { refresh_cookie: true } },
}
const half = () => randomBytes(32).toString('base64url')

function open(store: SessionStore = createMemoryStore(), secrets = [SECRET]) {
  const clock = new TestClock()
  const keys = keysFor(secrets)
  return { store, clock, pendings: new PendingSignIns({ store, keys, clock: clock.read }) }
}

t.test('it is found by both halves, and by nothing else', async (t) => {
  const { pendings } = open()
  const own = half()
  const text = await pendings.create(CONTENT, own)
  t.match(await pendings.find(text, own), { content: { ...CONTENT, tries: 0 } })
  const others: [unknown, string | null][] = [
    ...[
      [text, half()],
      [text, null],
      [text, text],
      [own, text],
      [own, own],
    ],
    ...[
      [`t${text.slice(1)}`, own],
      [`t${text.slice(1)}`, null],
      [`${text}A`, own],
      [text.slice(0, -1), own],
    ],
    ...[
      [`b${half()}`, own],
      ['', own],
      [null, own],
      [[text], own],
      [{ text }, own],
      [undefined, null],
    ],
  ] as [unknown, string | null][]
  for (const [given, with_] of others)
    t.equal(await pendings.find(given, with_), null, JSON.stringify([given, with_]))
  const bare = await pendings.create(CONTENT, null)
  t.match(await pendings.find(bare, null), { content: CONTENT })
  t.match(
    await pendings.find(bare, own),
    { content: CONTENT },
    'a cookie of another one is none of its business',
  )
  t.equal(await pendings.find(`b${bare.slice(1)}`, own), null)
})

t.test('it is over after five minutes, by the clock of whoever asks', async (t) => {
  const { pendings, clock } = open()
  const text = await pendings.create(CONTENT, null)
  clock.advance(299)
  const found = await pendings.find(text, null)
  t.ok(found)
  clock.advance(1)
  t.equal(await pendings.find(text, null), null)
  t.equal(found && (await pendings.countTry(found)), null, 'also for a request that had found it')
})

t.test('its limits are inside of the seal', async (t) => {
  const { pendings, clock, store } = open()
  const text = await pendings.create(CONTENT, null)
  const { key = '' } = (await pendings.find(text, null)) ?? {}
  const record = await store.readSession(key, clock.now)
  const later = START + 86_400_000
  await store.replaceSession(key, {
    ...{ version: 2, sealed: record?.sealed ?? '' },
    ...{ idleExpiresAt: later, absoluteExpiresAt: later },
  })
  t.ok(await pendings.find(text, null))
  clock.advance(300)
  t.equal(await pendings.find(text, null), null)
})

t.test('a rotation of secrets keeps it, another secret does not', async (t) => {
  const { pendings, store } = open()
  const text = await pendings.create(CONTENT, null)
  t.ok(await open(store, [NEXT_SECRET, SECRET]).pendings.find(text, null))
  t.equal(await open(store, [NEXT_SECRET]).pendings.find(text, null), null)
})

t.test('the record of another one does not open in its place', async (t) => {
  const { pendings, store, clock } = open()
  const [mine, other] = [await pendings.create(CONTENT, null), await pendings.create(CONTENT, null)]
  const keyOf = async (text: string) => (await pendings.find(text, null))?.key ?? ''
  const [from, to] = [await keyOf(other), await keyOf(mine)]
  const record = await store.readSession(from, clock.now)
  if (record) await store.replaceSession(to, { ...record, version: 2 })
  t.equal(await pendings.find(mine, null), null)
})

t.test('five tries, which a fault gives back', async (t) => {
  const { pendings } = open()
  const text = await pendings.create(CONTENT, null)
  const found = await pendings.find(text, null)
  if (!found) throw new Error('there is none')
  for (let each = 0; each < 20; each++) {
    t.ok(await pendings.countTry(found))
    await pendings.giveBackTry(found)
  }
  await pendings.giveBackTry(found)
  for (let each = 0; each < TRIES; each++) t.ok(await pendings.countTry(found))
  t.equal(await pendings.countTry(found), null)
  t.equal(await pendings.countTry(found), null)
  t.ok(await pendings.take(found), 'it is there until it expires')
  t.equal(await pendings.take(found), false)
  t.equal(await pendings.countTry(found), null)
  await pendings.giveBackTry(found)
  t.equal(await pendings.find(text, null), null, 'a try that is given back revives nothing')
})

t.test('whatever a seal of ours holds, it is a pending sign-in or none', async () => {
  const { pendings, store, clock } = open()
  const genuine = { ...CONTENT, exp: START + 300_000, tries: 1 }
  const text = await pendings.create(CONTENT, null)
  const { key = '' } = (await pendings.find(text, null)) ?? {}
  let version = 1
  const property = fc.asyncProperty(hostileTexts(genuine, 20_000), async (content) => {
    version += 1
    const sealed = seal(keysFor([SECRET]), key, content)
    const limits = { idleExpiresAt: START + 600_000, absoluteExpiresAt: START + 600_000 }
    await store.replaceSession(key, { version, sealed, ...limits })
    const found = await pendings.find(text, null)
    if (found === null) return
    const { exp, tries, mode, sub } = found.content
    if (exp <= clock.now || tries < 0 || tries > TRIES) throw new Error(`found ${content}`)
    if (mode === '' || typeof mode !== 'string' || typeof sub !== 'string')
      throw new Error(`found ${content}`)
  })
  await fc.assert(property, { numRuns: 300 })
})

t.test('a record of a session, under its own key, is no pending sign-in', async (t) => {
  const { pendings, store } = open()
  const text = await pendings.create(CONTENT, null)
  const { key = '' } = (await pendings.find(text, null)) ?? {}
  const content = JSON.stringify({ ...CONTENT, exp: START + 300_000, tries: 0 })
  const limits = { idleExpiresAt: START + 600_000, absoluteExpiresAt: START + 600_000 }
  await store.replaceSession(key, {
    version: 2,
    sealed: seal(keysFor([SECRET], 'session-data'), key, content),
    ...limits,
  })
  t.equal(await pendings.find(text, null), null)
})

const PAIRS = 1000

for (const [place, openPlace] of Object.entries(PLACES)) {
  t.test(
    `${place}: of ${PAIRS} parallel pairs that take one, one gets each; tries are never more than five`,
    async (t) => {
      const { here, there, heard } = await openPlace(t)
      const [one, other] = [open(here).pendings, open(there).pendings]
      const winners: number[] = []
      for (let pair = 0; pair < PAIRS; pair++) {
        const own = half()
        const found = await one.find(await one.create(CONTENT, own), own)
        if (!found) throw new Error('there is none')
        await heard()
        const taken = await Promise.all([one.take(found), other.take(found)])
        winners.push(taken.filter(Boolean).length)
      }
      t.strictSame([...new Set(winners)], [1], 'each is taken once')
      const own = half()
      const found = await one.find(await one.create(CONTENT, own), own)
      if (!found) throw new Error('there is none')
      const storm = Array.from({ length: 40 }, (_, each) => (each % 2 ? one : other).countTry(found))
      const counted = (await Promise.all(storm)).filter((outcome) => outcome !== null)
      t.equal(counted.length, TRIES)
    },
  )
}
