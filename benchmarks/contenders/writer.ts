import { createServer } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { addSignIns } from '../lib/bulk.js'
import { place, required } from '../lib/environment.js'
import { openRedisState } from '../lib/suite-store.js'

/*
 * Another server on the same Redis. It writes like a server of this suite (sign-ins, moved limits, and one revocation
 * among a hundred), at a fixed rate.
 */
const PER_SECOND = Number(required('WRITES'))
const TICK = 10
const POOL = 5000
const DAY = 86_400_000

const store = await openRedisState(required('REDIS_URL'))
await addSignIns(store, POOL, 'session', 10_000_000)
let written = 0

async function writeOnce(): Promise<void> {
  const index = written++
  const account = `written-${index % POOL}`
  const now = Date.now()
  if (index % 100 === 0) await store.endSignIn(account, `ended-${index}-padded`, now + DAY)
  else if (index % 2 === 0) await store.touchSession(`key-${index % POOL}`, now + DAY)
  else {
    const limits = { idleExpiresAt: now + DAY, absoluteExpiresAt: now + DAY }
    await store.createSession(`key-${index % POOL}`, { version: 1, sealed: 'sealed'.repeat(40), ...limits })
  }
}

// Reports how much it has written, so that the rate can be checked.
createServer((_request, response) => response.end(String(written))).listen(place())

const began = performance.now()
for (;;) {
  const due = ((performance.now() - began) / 1000) * PER_SECOND - written
  await Promise.all(Array.from({ length: Math.min(500, Math.ceil(due)) }, writeOnce))
  await delay(TICK)
}
