import t from 'tap'
import { Turns } from '../../../routes/lab/turns.js'

t.test('tasks take turns in their order, a failed one too', async (t) => {
  const turns = new Turns(3)
  const log: string[] = []
  const task = (name: string) => async () => {
    log.push(`${name} begins`)
    await new Promise(setImmediate)
    log.push(`${name} ends`)
    if (name === 'b') throw new Error('b failed')
    return name
  }
  const all = await Promise.allSettled(['a', 'b', 'c'].map((name) => turns.take(task(name))))
  t.same(log, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
  t.same(
    all.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
})

t.test('one too many is refused, and a free place is taken again', async (t) => {
  const turns = new Turns(2)
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const first = turns.take(() => held)
  const second = turns.take(async () => 'second')
  await t.rejects(
    turns.take(async () => 'third'),
    { code: 'BUSY', statusCode: 503 },
  )
  release()
  await first
  t.equal(await second, 'second')
  t.equal(await turns.take(async () => 'fourth'), 'fourth')
})
