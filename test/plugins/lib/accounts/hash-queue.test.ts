import t from 'tap'
import { HashQueue } from '../../../../plugins/lib/accounts/hash-queue.js'

/** Works that end when they are told to. */
function held() {
  const open: (() => void)[] = []
  const work = () => new Promise<void>((resolve) => open.push(resolve))
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const endOne = async () => {
    await turn()
    open.shift()?.()
    await turn()
  }
  return { work, endOne }
}

t.test('it says how many run, wait, and were shed', async (t) => {
  const queue = new HashQueue(1)
  const counts = () => [queue.running, queue.waiting, queue.shed]
  const { work, endOne } = held()
  const asked = Array.from({ length: 20 }, () => queue.run(work))
  const settled = Promise.allSettled(asked)
  t.same(counts(), [1, 16, 3])
  await endOne()
  t.same(counts(), [1, 15, 3])
  for (let time = 0; time < 16; time++) await endOne()
  t.same(counts(), [0, 0, 3])
  const shed = (await settled).filter(({ status }) => status === 'rejected')
  t.match(shed, Array(3).fill({ reason: { code: 'BUSY' } }))
})

t.test('it tells how long each took, failed ones too, and no shed one', async (t) => {
  const queue = new HashQueue(1)
  const took: number[] = []
  const stop = queue.onDone((ms) => took.push(ms))
  const slow = () => new Promise((resolve) => setTimeout(resolve, 20))
  await Promise.allSettled([queue.run(slow), queue.run(() => Promise.reject(new Error('out of memory')))])
  t.equal(took.length, 2)
  for (const ms of took) t.ok(ms > 15 && ms < 60_000, `${ms} ms, the wait included`)
  const { work, endOne } = held()
  const flood = Promise.allSettled(Array.from({ length: 20 }, () => queue.run(work)))
  for (let time = 0; time < 17; time++) await endOne()
  await flood
  t.equal(took.length, 19)
  stop()
  await queue.run(async () => {})
  t.equal(took.length, 19, 'whoever has left is told no more')
})
