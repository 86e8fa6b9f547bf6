import t from 'tap'
import { endOfBucket, NONCE_PERIOD } from '../../../../plugins/lib/dpop/nonces.js'
import { MemoryOfUse } from '../../../../plugins/lib/dpop/used.js'

const START = 1000 * NONCE_PERIOD

t.test('a proof is fresh once, and its use is remembered until its nonce is over', async (t) => {
  const memory = new MemoryOfUse(10)
  t.equal(memory.spend('a', 1000, START), 'fresh')
  t.equal(memory.spend('a', 1000, START), 'spent')
  t.equal(memory.spend('b', 1000, START), 'fresh')
  t.equal(memory.spend('a', 1000, endOfBucket(1000) - 1), 'spent')
  t.equal(memory.size, 2)
  t.equal(memory.spend('a', 1000, endOfBucket(1000)), 'late')
  t.equal(memory.size, 0, 'and then its room is free')
})

t.test('a full memory forgets nothing early', async (t) => {
  const memory = new MemoryOfUse(2)
  t.equal(memory.spend('a', 1000, START), 'fresh')
  t.equal(memory.spend('b', 1001, START + NONCE_PERIOD), 'fresh')
  t.equal(memory.spend('c', 1001, START + NONCE_PERIOD), 'full')
  t.equal(memory.spend('a', 1000, START + NONCE_PERIOD), 'spent', 'a known one is still told')
  t.equal(memory.spend('c', 1001, endOfBucket(1000)), 'fresh', 'once the first is over')
  t.equal(memory.spend('d', 1001, endOfBucket(1000)), 'full')
})

t.test('a clock that is set back makes no used proof fresh', async (t) => {
  const memory = new MemoryOfUse(10)
  t.equal(memory.spend('a', 1000, START), 'fresh')
  t.equal(memory.spend('b', 1002, endOfBucket(1000)), 'fresh')
  t.equal(memory.spend('a', 1000, START), 'late')
  t.equal(memory.spend('b', 1002, START), 'spent')
})
