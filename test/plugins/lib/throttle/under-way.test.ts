import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { MOST_UNDER_WAY, Turns, UnderWay } from '../../../../plugins/lib/throttle/under-way.js'

t.test('no more than so many are under way, and whoever ends makes room, however it ended', async (t) => {
  const underWay = new UnderWay(() => false)
  const ends: ((error?: Error) => void)[] = []
  const begin = () =>
    underWay.run(
      () =>
        new Promise<void>((resolve, reject) => {
          ends.push((error) => (error ? reject(error) : resolve()))
        }),
    )
  const begun = Array.from({ length: MOST_UNDER_WAY }, begin)
  await t.rejects(begin(), { code: 'BUSY', statusCode: 503 })
  t.equal(ends.length, MOST_UNDER_WAY, 'what is shed does nothing')
  ends[0]?.(new Error('refused'))
  await t.rejects(Promise.resolve(begun[0]), { message: 'refused' })
  begun.push(begin())
  await t.rejects(begin(), { code: 'BUSY' })
  for (const end of ends) end()
  await Promise.allSettled(begun)
  t.equal(await underWay.run(async () => 'done'), 'done')
})

t.test('while the hasher is full nothing begins', async (t) => {
  let isBusy = true
  const underWay = new UnderWay(() => isBusy)
  await t.rejects(
    underWay.run(async () => t.fail()),
    { code: 'BUSY' },
  )
  isBusy = false
  t.equal(await underWay.run(async () => 'done'), 'done')
})

t.test('so many begin in a turn, in their order, and the others in the turns after it', async (t) => {
  const turns = new Turns(2)
  const begun: number[] = []
  const all = [1, 2, 3, 4, 5].map((number) => turns.next().then(() => begun.push(number)))
  t.same(begun, [], 'none in the turn in which they came')
  await nextTurn()
  t.same(begun, [1, 2])
  await nextTurn()
  t.same(begun, [1, 2, 3, 4])
  await Promise.all(all)
  t.same(begun, [1, 2, 3, 4, 5])
})

t.test('who comes while others wait waits behind them, and who comes later is not forgotten', async (t) => {
  const turns = new Turns(1)
  const begun: string[] = []
  const ask = (name: string) => turns.next().then(() => begun.push(name))
  const first = [ask('a'), ask('b')]
  await nextTurn()
  await Promise.all([...first, ask('c')])
  t.same(begun, ['a', 'b', 'c'])
  await nextTurn()
  await ask('d')
  t.same(begun, ['a', 'b', 'c', 'd'])
})
