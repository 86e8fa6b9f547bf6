import { randomBytes } from 'node:crypto'
import type { SignInRecord, StateStore } from '../../plugins/lib/stores/contract.js'
import { atOnce } from './at-once.js'
import { USER_AGENT } from './credentials.js'

const AT_ONCE = 500
const DAY = 86_400_000

/** Sign-ins of each account. */
const FOR_EACH_ACCOUNT = 5

function recordOf(accountId: string, generation: number, mode: string): SignInRecord {
  const now = Date.now()
  return {
    id: randomBytes(16).toString('base64url'),
    accountId,
    mode,
    epoch: 0,
    generation,
    createdAt: now,
    lastSeenAt: now,
    idleExpiresAt: now + DAY,
    absoluteExpiresAt: now + 7 * DAY,
    ip: '203.0.113.77',
    userAgent: USER_AGENT,
    sessionKey: null,
    refresh: mode === 'token' ? { counter: 0, keyId: 'a2V5IGlk', rotatedAt: now } : null,
    claims: null,
  }
}

/** An immutable id, like those of the suite's own accounts. */
const accountIdOf = (index: number) => `bulk-${String(index).padStart(17, '0')}`

/** Adds live sign-ins, five for each account, with the store's own code. @param from how many were added before */
export async function addSignIns(
  store: StateStore,
  count: number,
  mode: string,
  from: number,
): Promise<void> {
  const generation = await store.generation()
  await atOnce(AT_ONCE, count, (index) =>
    store.addSignIn(recordOf(accountIdOf(Math.floor((from + index) / FOR_EACH_ACCOUNT)), generation, mode)),
  )
}

/** Ends sign-ins without a record: only their revocations are kept. */
export async function addRevocations(store: StateStore, count: number): Promise<void> {
  const until = Date.now() + 7 * DAY
  await atOnce(AT_ONCE, count, (index) =>
    store.endSignIn(accountIdOf(index), randomBytes(16).toString('base64url'), until),
  )
}
