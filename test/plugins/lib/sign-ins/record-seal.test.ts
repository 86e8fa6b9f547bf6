import t from 'tap'
import { createKeyRing } from '../../../../plugins/lib/credentials/keys.js'
import { newSignInId, openRecord, sealRecord } from '../../../../plugins/lib/sign-ins/record-seal.js'
import type { SignInRecord } from '../../../../plugins/lib/stores/contract.js'
import { signInRecord } from '../../../store-contract.js'

const keysOf = (...names: string[]) =>
  createKeyRing(names.map((name) => name.padEnd(32, '.'))).purpose('sign-in')
const KEYS = keysOf('now')

const record = signInRecord({
  id: newSignInId(),
  sessionKey: 'a key',
  refresh: { counter: 3, keyId: 'key-1', rotatedAt: 1 },
  claims: { team: 'blue', scopes: ['read'] },
})
const stored = sealRecord(KEYS, record)

t.test('a record comes back as it was, and the store cannot read its claims', async (t) => {
  t.same(openRecord(KEYS, stored), { signIn: record, isGenuine: true })
  t.equal(stored.claims, null)
  t.notMatch(JSON.stringify(stored), 'blue')
  const bare = { ...record, claims: null }
  t.same(openRecord(KEYS, sealRecord(KEYS, bare)), { signIn: bare, isGenuine: true })
})

t.test('who can write the store changes nothing that never changes', async (t) => {
  const other = sealRecord(KEYS, { ...record, id: newSignInId(), claims: { team: 'red' } })
  const changes: { [K in keyof SignInRecord]?: SignInRecord[K] } = {
    accountId: 'account-2',
    id: newSignInId(),
    mode: 'session',
    epoch: 2,
    generation: 2,
    createdAt: record.createdAt + 1,
    absoluteExpiresAt: record.absoluteExpiresAt + 1,
    ip: '203.0.113.8',
    userAgent: 'another',
    sessionKey: null,
    seal: other.seal,
  }
  for (const [name, value] of Object.entries(changes)) {
    t.equal(openRecord(KEYS, { ...stored, [name]: value }), null, name)
  }
  t.equal(openRecord(KEYS, { ...stored, seal: null }), null, 'the seal taken away')
  t.equal(openRecord(KEYS, { ...stored, seal: null, claims: { team: 'red' } }), null, 'as 0.1 wrote it')
  t.equal(openRecord(KEYS, { ...stored, seal: 'something else' }), null)
  t.same(openRecord(KEYS, { ...stored, claims: { team: 'red' } })?.signIn.claims, record.claims)
})

t.test('what the store changes is the store’s, and the idle limit ends with the absolute one', async (t) => {
  const used = { lastSeenAt: 5, idleExpiresAt: record.idleExpiresAt + 1, refresh: null }
  t.same(openRecord(KEYS, { ...stored, ...used }), { signIn: { ...record, ...used }, isGenuine: true })
  const late = { ...stored, idleExpiresAt: record.absoluteExpiresAt + 1 }
  t.equal(openRecord(KEYS, late)?.signIn.idleExpiresAt, record.absoluteExpiresAt)
})

t.test('secrets rotate; under one that has left, a record is good for a list alone', async (t) => {
  t.equal(openRecord(keysOf('next', 'now'), stored)?.isGenuine, true)
  t.same(openRecord(keysOf('next'), stored), { signIn: { ...record, claims: null }, isGenuine: false })
})

t.test('a record of 0.1 is good without claims; with claims it is good for a list alone', async (t) => {
  const old = signInRecord({ id: 'AAAAAAAAAAAAAAAAAAAAAA' })
  t.same(openRecord(KEYS, old), { signIn: old, isGenuine: true })
  t.same(openRecord(KEYS, { ...old, claims: {} }), { signIn: old, isGenuine: true }, 'as a token without any')
  t.same(openRecord(KEYS, { ...old, claims: { team: 'red' } }), { signIn: old, isGenuine: false })
})
