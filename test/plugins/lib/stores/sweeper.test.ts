import { EventEmitter, once } from 'node:events'
import t from 'tap'
import { createMemoryStore } from '../../../../plugins/lib/stores/memory.js'
import { sweepRegularly } from '../../../../plugins/lib/stores/sweeper.js'

const silent = { warn: () => {} }

t.test('sweeps at the injected time, again and again, until it is stopped', async (t) => {
  const swept = new EventEmitter()
  const store = Object.assign(createMemoryStore(), {
    sweep: async (now: number) => void swept.emit('swept', now),
  })
  const stop = sweepRegularly(store, () => 42, silent, 1)
  const alive = setInterval(() => {}, 1000)
  t.strictSame(await once(swept, 'swept'), [42])
  t.strictSame(await once(swept, 'swept'), [42])
  stop()
  let after = 0
  swept.on('swept', () => after++)
  await new Promise((resolve) => setTimeout(resolve, 20))
  clearInterval(alive)
  t.equal(after, 0)
})

t.test('a fault is logged, and the next sweep comes all the same', async (t) => {
  const swept = new EventEmitter()
  const fault = new Error('down')
  const store = Object.assign(createMemoryStore(), {
    sweep: async () => {
      swept.emit('swept')
      throw fault
    },
  })
  const logged: unknown[] = []
  const stop = sweepRegularly(store, Date.now, { warn: (entry: unknown) => void logged.push(entry) }, 1)
  const alive = setInterval(() => {}, 1000)
  await once(swept, 'swept')
  await once(swept, 'swept')
  stop()
  clearInterval(alive)
  t.strictSame(logged[0], { err: fault })
})
