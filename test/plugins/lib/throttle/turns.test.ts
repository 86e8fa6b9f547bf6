import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { Turns } from '../../../../plugins/lib/throttle/turns.js'

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
