import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { PAGE } from '../../../../../plugins/lib/stores/sqlite/statements.js'
import { eventually } from '../../../../helpers/followed.js'
import { aLook, END, LATER, openList, RAISE, SPARE, settle } from '../../../../helpers/sqlite-list.js'

t.test('once the list is in memory, the file is not asked', async (t) => {
  const opened = await openList(t)
  const { list, ref, asked, statements } = opened
  t.equal(list.isLive(ref('s')), true)
  t.equal(asked(), 1, 'before that it is')
  await settle(opened)
  const before = { ...statements.counts }
  const began = performance.now()
  for (let times = 0; times < 10_000; times++) if (!list.isLive(ref('s'))) t.fail()
  const looks = (statements.counts.dataVersion ?? 0) - (before.dataVersion ?? 0)
  t.same({ ...statements.counts, dataVersion: 0 }, { ...before, dataVersion: 0 })
  t.ok(looks <= (performance.now() - began) / 2 + 1, `${looks} looks at the data version`)
})

t.test('what another process ends is refused with the next look, and is in memory soon', async (t) => {
  const opened = await openList(t)
  const { foreign, list, ref, asked } = opened
  await settle(opened)
  foreign.prepare(END).run('s', LATER)
  await aLook()
  t.equal(list.isLive(ref('s')), false)
  t.equal(list.isLive(ref('other')), true)
  await settle(opened)
  const before = asked()
  t.equal(list.isLive(ref('s')), false)
  t.equal(list.isLive(ref('other')), true)
  t.equal(asked(), before)
})

t.test('an epoch that another process raises refuses what is below, but for whom it spared', async (t) => {
  const opened = await openList(t)
  const { foreign, list, ref, asked } = opened
  await settle(opened)
  foreign.prepare(SPARE).run('a', 'spared', 2, LATER)
  foreign.prepare(RAISE).run('a', 2, LATER)
  await aLook()
  for (const from of ['the file', 'memory']) {
    t.equal(list.isLive(ref('s')), false, from)
    t.equal(list.isLive(ref('spared')), true, from)
    t.equal(list.isLive(ref('s', 2)), true, from)
    t.equal(list.isLive(ref('s', 1, 'b')), true, from)
    await settle(opened)
  }
  foreign.prepare('UPDATE raised_epochs SET epoch = 3').run()
  await settle(opened)
  const before = asked()
  t.equal(list.isLive(ref('spared')), false, 'a later raise spares nobody who is not named')
  t.equal(asked(), before)
})

t.test('a list of several pages is read whole', async (t) => {
  const opened = await openList(t)
  const { foreign, list, ref, asked } = opened
  const name = (index: number) => `s${index}`
  const count = 2 * PAGE + 1
  foreign.exec('BEGIN')
  const [end, raise] = [foreign.prepare(END), foreign.prepare(RAISE)]
  const spare = foreign.prepare(SPARE)
  for (let index = 0; index < count; index++) {
    end.run(name(index), LATER)
    raise.run(`account${index}`, 2, LATER)
    spare.run(`account${index % 2}`, `spared${index}`, 2, LATER)
  }
  foreign.exec('COMMIT')
  await settle(opened)
  const before = asked()
  for (let index = 0; index < count; index++) {
    if (list.isLive(ref(name(index)))) t.fail(`${name(index)} is live`)
    if (list.isLive(ref('s', 1, `account${index}`))) t.fail(`account${index} is live`)
    if (!list.isLive(ref(`spared${index}`, 1, `account${index % 2}`))) t.fail(`spared${index} is not live`)
  }
  t.equal(asked(), before)
})

t.test('a list that was lost, or is another one, refuses what was issued under it', async (t) => {
  const opened = await openList(t)
  const { foreign, list, ref, generation } = opened
  await settle(opened)
  foreign.exec('DELETE FROM revocation_list')
  await aLook()
  t.equal(list.isLive(ref('s')), false)
  foreign.prepare('INSERT INTO revocation_list VALUES (1, ?)').run(generation + 1)
  await aLook()
  t.equal(list.isLive(ref('s')), false)
  const newer = { ...ref('s'), generation: generation + 1 }
  t.equal(list.isLive(newer), true)
  foreign.prepare(END).run('s', LATER)
  await aLook()
  t.equal(list.isLive(newer), false)
})

t.test('more than fits into memory is asked of the file, and of memory again when it fits', async (t) => {
  const opened = await openList(t, 10)
  const { foreign, list, ref, asked } = opened
  for (let index = 0; index < 20; index++) foreign.prepare(END).run(`s${index}`, index)
  list.isLive(ref('live'))
  await delay(50)
  let before = asked()
  for (let index = 0; index < 20; index++) t.equal(list.isLive(ref(`s${index}`)), false)
  t.equal(list.isLive(ref('live')), true)
  t.ok(asked() > before)
  foreign.exec('DELETE FROM ended_sign_ins WHERE until < 15')
  await list.sweep(15)
  await settle(opened)
  before = asked()
  for (let index = 15; index < 20; index++) t.equal(list.isLive(ref(`s${index}`)), false)
  t.equal(list.isLive(ref('live')), true)
  t.equal(asked(), before)
})

t.test('what a store could not write is not refused, and one that is closed answers nothing', async (t) => {
  const { store, foreign, ref } = await openList(t)
  const mine = ref('s')
  while (!store.isLive(mine)) await delay(1)
  foreign.exec('BEGIN IMMEDIATE')
  await t.rejects(store.endSignIn('a', 's', LATER), { code: 'STORE_UNAVAILABLE' })
  foreign.exec('ROLLBACK')
  t.equal(store.isLive(mine), true)
  await store.endSignIn('a', 's', LATER)
  t.equal(store.isLive(mine), false)
  await store.close()
  await aLook()
  t.throws(() => store.isLive(ref('other')), { code: 'STORE_UNAVAILABLE' })
})

t.test(
  'there is a revision while all that anybody has written is in memory, and none otherwise',
  async (t) => {
    const opened = await openList(t)
    const { foreign, list } = opened
    t.equal(list.revision(), -1, 'the list has not been read yet')
    await settle(opened)
    const before = list.revision()
    t.ok(before >= 0)
    foreign.prepare(END).run('s', LATER)
    await aLook()
    t.equal(list.revision(), -1, 'from the next look on')
    await settle(opened)
    t.not(list.revision(), before)

    const small = await openList(t, 1)
    for (const id of ['one', 'two']) small.foreign.prepare(END).run(id, LATER)
    await delay(20)
    small.list.isLive(small.ref('s'))
    await delay(20)
    t.equal(small.list.revision(), -1, 'what found no room may be anything')
  },
)

t.test('a listener hears of a write of another process, not of its own', async (t) => {
  const { store, foreign } = await openList(t)
  let heard = 0
  const leave = store.onForeignWrite?.(() => heard++)
  await store.endSignIn('a', 'own', LATER)
  foreign.prepare(END).run('s', LATER)
  await eventually(() => heard > 0)
  t.equal(heard, 1)
  leave?.()
})
