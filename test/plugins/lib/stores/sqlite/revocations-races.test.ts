import assert from 'node:assert/strict'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { SignInRef } from '../../../../../plugins/lib/contract.js'
import { openDatabase } from '../../../../../plugins/lib/database/embedded.js'
import { readLiveness } from '../../../../../plugins/lib/stores/sqlite/rows.js'
import { PAGE, Statements } from '../../../../../plugins/lib/stores/sqlite/statements.js'
import { createSqliteStore } from '../../../../../plugins/lib/stores/sqlite/store.js'
import {
  aLook,
  END,
  LATER,
  type OpenedList,
  openList,
  RAISE,
  SPARE,
  settle,
} from '../../../../helpers/sqlite-list.js'

/** Fills the file with a list of more than one page, and memory with it. */
async function fill(opened: OpenedList): Promise<void> {
  const { foreign } = opened
  foreign.exec('BEGIN')
  const end = foreign.prepare(END)
  for (let index = 0; index < PAGE + 10; index++) end.run(`full${index}`, LATER)
  foreign.exec('COMMIT')
  await settle(opened)
}

/** Has the list read anew, and does something before that page of it is read, counted from 1. */
async function readAnew(opened: OpenedList, page: number, interrupt: () => void): Promise<void> {
  const { foreign, list, ref, statements } = opened
  let pages = 0
  statements.before = (name) => {
    if (name.endsWith('Page') && ++pages === page) interrupt()
  }
  foreign.prepare(END).run(`anew${page}`, LATER)
  await aLook()
  while (pages < 4) {
    list.isLive(ref('whoever', 1, 'nobody'))
    await aLook()
  }
  statements.before = () => {}
}

t.test('what this process ends while the list is read anew is refused, whatever page is next', async (t) => {
  for (const page of [1, 2, 3, 4]) {
    const opened = await openList(t)
    const { store, ref } = opened
    await fill(opened)
    await readAnew(opened, page, () => {
      for (const id of ['!before', '~behind']) {
        void store.endSignIn('a', id, LATER)
        t.equal(store.isLive(ref(id)), false, `${id}, at once`)
      }
      void store.raiseEpoch('b', 2, 'spared', LATER)
    })
    await settle(opened)
    for (const id of ['!before', '~behind', 'full0']) t.equal(store.isLive(ref(id)), false, id)
    t.equal(store.isLive(ref('s', 1, 'b')), false)
    t.equal(store.isLive(ref('spared', 1, 'b')), true)
  }
})

t.test('what another process ends while the list is read is refused, whatever page is next', async (t) => {
  for (const page of [1, 2, 3, 4]) {
    const opened = await openList(t)
    const { foreign, store, ref } = opened
    await fill(opened)
    await readAnew(opened, page, () => {
      for (const id of ['!before', '~behind']) foreign.prepare(END).run(id, LATER)
      foreign.prepare(RAISE).run('b', 2, LATER)
    })
    await aLook()
    for (const id of ['!before', '~behind', 'full0']) t.equal(store.isLive(ref(id)), false, id)
    t.equal(store.isLive(ref('s', 1, 'b')), false)
    t.equal(store.isLive(ref('s')), true)
  }
})

t.test('a list that becomes another one while it is read vouches for nobody', async (t) => {
  for (const page of [1, 2, 3, 4]) {
    const opened = await openList(t)
    const { foreign, list, ref, generation } = opened
    await fill(opened)
    const newer = { ...ref('s'), generation: generation + 1 }
    await readAnew(opened, page, () => foreign.exec('UPDATE revocation_list SET generation = generation + 1'))
    await aLook()
    t.equal(list.isLive(ref('s')), false)
    t.equal(list.isLive(newer), true)
    await settle(opened, newer.generation)
    t.equal(list.isLive(ref('s')), false)
    t.equal(list.isLive({ ...newer, signInId: 'full0' }), false, 'what the other one refuses')
    foreign.exec('UPDATE revocation_list SET generation = generation - 1')
    await aLook()
    t.equal(list.isLive(newer), false, 'and back')
    t.equal(list.isLive(ref('full0')), false)
  }
})

t.test('of a list that is another one now, nothing that was held of the former is believed', async (t) => {
  const opened = await openList(t)
  const { foreign, list, ref, generation } = opened
  await settle(opened)
  const newer = { ...ref('s'), generation: generation + 1 }
  await aLook()
  t.equal(list.isLive(ref('s')), true)
  foreign.exec(`BEGIN; UPDATE revocation_list SET generation = ${newer.generation};
    INSERT INTO ended_sign_ins VALUES ('s', ${LATER}); COMMIT`)
  // Within what one look does for: the file is asked, and says what list it is.
  for (let times = 0; times < 3; times++) t.equal(list.isLive(newer), false)
})

t.test('a reading that fails vouches for nothing, and the next look begins another', async (t) => {
  const opened = await openList(t)
  const { foreign, list, ref, asked } = opened
  await fill(opened)
  const before = asked()
  foreign.prepare(END).run('~last', LATER)
  await readAnew(opened, 2, () => {
    t.equal(list.isLive(ref('~last')), false, 'the file says so')
    throw new Error('the disk')
  })
  t.ok(asked() > before)
  t.equal(list.isLive(ref('~last')), false)
  await settle(opened)
  t.equal(list.isLive(ref('~last')), false)
  t.equal(list.isLive(ref('other')), true)
})

t.test('where the data version cannot be read, nobody is live', async (t) => {
  const opened = await openList(t)
  const { store, ref, statements } = opened
  await settle(opened)
  await store.endSignIn('a', 'ended', LATER)
  statements.before = (name) => {
    if (name === 'dataVersion') throw new Error('the disk')
  }
  await aLook()
  t.equal(store.isLive(ref('ended')), false, 'known is known')
  for (let times = 0; times < 3; times++) {
    t.throws(() => store.isLive(ref('s')), { code: 'STORE_UNAVAILABLE' })
  }
  statements.before = () => {}
  t.equal(store.isLive(ref('s')), true)
})

t.test('two stores of one file are one: what either ends, both refuse at once', async (t) => {
  const { file, store, ref } = await openList(t)
  const database = await openDatabase(file)
  const twin = createSqliteStore(database)
  for (const warm of [store, twin]) while (!warm.isLive(ref('s'))) await aLook()
  await twin.endSignIn('a', 's', LATER)
  t.equal(store.isLive(ref('s')), false)
  await store.raiseEpoch('a', 2, null, LATER)
  t.equal(twin.isLive(ref('other')), false)
  await twin.close()
  await store.endSignIn('b', 'third', LATER)
  t.equal(store.isLive(ref('third', 1, 'b')), false)
  t.equal(store.isLive(ref('fourth', 1, 'b')), true, 'the one that is left goes on')
})

t.test('ids are told apart whole, whatever characters they hold', async (t) => {
  const opened = await openList(t)
  const { foreign, list, ref } = opened
  const names = ['', 'a\0b', '\uFEFFa', 'a\uFFFD', 'e\u0301', '😀', "a'", 'a:b', ' a']
  for (const name of names) {
    foreign.prepare(END).run(`ended ${name}`, LATER)
    foreign.prepare(RAISE).run(name, 2, LATER)
    foreign.prepare(SPARE).run(name, `spared ${name}`, 2, LATER)
  }
  foreign.prepare(END).run('', LATER)
  await settle(opened)
  t.equal(list.isLive(ref('')), false)
  for (const name of names) {
    const shown = JSON.stringify(name)
    t.equal(list.isLive(ref(`ended ${name}`)), false, shown)
    t.equal(list.isLive(ref('s', 1, name)), false, shown)
    t.equal(list.isLive(ref(`spared ${name}`, 1, name)), true, shown)
  }
  t.equal(list.isLive(ref('s', 1, 'a')), true)
  t.equal(list.isLive(ref('ended a')), true)
})

type Writer = 'own' | 'twin' | 'foreign'
type Step =
  | { readonly kind: 'end'; readonly by: Writer; readonly account: string; readonly id: string }
  | {
      readonly kind: 'raise'
      readonly by: Writer
      readonly account: string
      readonly epoch: number
      readonly spared: string | null
    }
  | { readonly kind: 'lose'; readonly by: 'foreign' }
  | { readonly kind: 'sweep'; readonly by: 'own' | 'twin'; readonly now: number }
  | { readonly kind: 'rest'; readonly by: 'own' }

const ACCOUNTS = ['a', 'b']
const SIGN_INS = ['s1', 's2', 's3']
const by = fc.constantFrom<Writer>('own', 'twin', 'foreign')
/** When a sweep drops what was to be kept until then. */
const PASSED = LATER + 3_600_000
/** The command line never sweeps. */
const sweeper = fc.constantFrom('own' as const, 'twin' as const)
const account = fc.constantFrom(...ACCOUNTS)
const id = fc.constantFrom(...SIGN_INS)
const raising = { account, epoch: fc.integer({ min: 1, max: 3 }), spared: fc.option(id) }
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('end' as const), by, account, id }),
    fc.record({ kind: fc.constant('raise' as const), by, ...raising }),
    fc.constant({ kind: 'lose', by: 'foreign' } as const),
    fc.record({ kind: fc.constant('sweep' as const), by: sweeper, now: fc.constantFrom(PASSED - 1, PASSED) }),
    fc.constant({ kind: 'rest', by: 'own' } as const),
  ),
  { maxLength: 12 },
)

/** A file with three who write to it, the first two of one process, and what the file itself says. */
async function openWriters(t: Test) {
  const opened = await openList(t)
  const { database, foreign, store } = opened
  const stores = {
    own: store,
    twin: createSqliteStore(database),
    foreign: createSqliteStore({ ...database, connection: foreign }),
  }
  const file = new Statements(foreign)
  const isLiveInFile = ({ accountId, signInId, epoch, generation }: SignInRef) => {
    const row = readLiveness(file.get('liveness', signInId, accountId, accountId, signInId))
    const isAbove = epoch >= row.raised || row.spared >= row.raised
    return row.generation === generation && !row.ended && isAbove
  }
  return { ...opened, stores, isLiveInFile, epochs: new Set([0]) }
}

type Writers = Awaited<ReturnType<typeof openWriters>>

async function take(writers: Writers, step: Step): Promise<void> {
  const { epochs, foreign, store, stores } = writers
  const { [step.by]: writer } = stores
  if (step.kind === 'end') await writer.endSignIn(step.account, step.id, LATER)
  if (step.kind === 'raise') {
    epochs.add(step.epoch)
    await writer.raiseEpoch(step.account, step.epoch, step.spared, LATER)
  }
  if (step.kind === 'sweep') await writer.sweep(step.now)
  if (step.kind === 'rest') await settle(writers, await store.generation())
  if (step.kind === 'lose') {
    for (const table of ['ended_sign_ins', 'raised_epochs', 'spared_sign_ins', 'revocation_list']) {
      foreign.exec(`DELETE FROM ${table}`)
    }
    await store.generation()
  }
}

/** Every credential that may be presented: of each account, each sign-in, and each epoch and generation there was. */
function refsOf({ epochs }: Writers, generations: Iterable<number>): SignInRef[] {
  return [...generations].flatMap((generation) =>
    ACCOUNTS.flatMap((accountId) =>
      SIGN_INS.flatMap((signInId) =>
        [...epochs].map((epoch) => ({ accountId, signInId, epoch, generation })),
      ),
    ),
  )
}

t.test('whoever writes whatever, nobody is live in memory who is not in the file', async (t) => {
  const property = fc.asyncProperty(steps, async (taken) => {
    const writers = await openWriters(t)
    const { epochs, store, stores, isLiveInFile } = writers
    const generations = new Set([await store.generation()])
    for (const step of taken) {
      await take(writers, step)
      if (step.by === 'foreign') await aLook()
      const generation = await store.generation()
      const refs = refsOf(writers, generations.add(generation))
      const untouched = { accountId: 'a', signInId: 'other', epoch: Math.max(...epochs), generation }
      for (const asked of [stores.own, stores.twin]) {
        const live = refs.filter((ref) => asked.isLive(ref))
        assert.deepEqual(live.filter(isLiveInFile), live, `after ${step.kind}`)
        assert.ok(asked.isLive(untouched), `after ${step.kind}`)
      }
    }
  })
  await t.resolves(fc.assert(property, { numRuns: 100 }))
})
