import t from 'tap'
import { createKeyRing } from '../../../../plugins/lib/credentials/keys.js'
import { seal as sealText } from '../../../../plugins/lib/session/seal.js'
import { isStale, newSignInId, openRecord, sealRecord } from '../../../../plugins/lib/sign-ins/record-seal.js'
import type { SignInRecord } from '../../../../plugins/lib/stores/contract.js'
import { signInRecord } from '../../../store-contract.js'

const keysOf = (...names: string[]) =>
  createKeyRing(names.map((name) => name.padEnd(32, '.'))).purpose('sign-in')
const KEYS = keysOf('now')

const unread = signInRecord({
  id: newSignInId(),
  sessionKey: 'a key',
  refresh: { counter: 3, keyId: 'key-1', rotatedAt: 1 },
  claims: { team: 'blue', scopes: ['read'] },
})
/** What a record without factors is taken for. */
const factors = [{ method: 'password', at: unread.createdAt }] as const
const record = { ...unread, factors }
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
  t.same(openRecord(keysOf('next'), stored), { signIn: { ...unread, claims: null }, isGenuine: false })
})

t.test('a record of 0.1 is good without claims; with claims it is good for a list alone', async (t) => {
  const old = signInRecord({ id: 'AAAAAAAAAAAAAAAAAAAAAA' })
  const signIn = { ...old, factors }
  t.same(openRecord(KEYS, old), { signIn, isGenuine: true })
  t.same(openRecord(KEYS, { ...old, claims: {} }), { signIn, isGenuine: true }, 'as a token without any')
  t.same(openRecord(KEYS, { ...old, claims: { team: 'red' } }), { signIn: old, isGenuine: false })
})

const STRONG = [
  { method: 'password', at: 1_750_000_000_000 },
  { method: 'totp', at: 1_750_000_060_000 },
] as const

t.test('factors come back, with claims and without, and the store cannot read them', async (t) => {
  for (const claims of [record.claims, null]) {
    const strong = { ...record, claims, factors: STRONG }
    const sealed = sealRecord(KEYS, strong)
    t.match(sealed.seal, /^fv1\./)
    t.notOk('factors' in sealed)
    t.same(openRecord(KEYS, sealed), { signIn: strong, isGenuine: true })
  }
})

t.test('a password at the time of the sign-in leaves the seal as it was in 0.2', async (t) => {
  const bare = { ...unread, claims: null }
  t.equal(sealRecord(KEYS, { ...bare, factors }).seal, sealRecord(KEYS, bare).seal)
  const later = [{ method: 'password', at: unread.createdAt + 1000 }] as const
  t.match(sealRecord(KEYS, { ...bare, factors: later }).seal, /^f/)
})

t.test('an attacker who can write to the store cannot add a factor', async (t) => {
  const strong = sealRecord(KEYS, { ...record, factors: STRONG })
  const others = sealRecord(KEYS, { ...record, id: newSignInId(), factors: STRONG })
  const methods = (changed: SignInRecord) =>
    openRecord(KEYS, changed)?.signIn.factors?.map(({ method }) => method) ?? null
  t.same(methods({ ...stored, factors: STRONG }), ['password'], 'a field of the store')
  const forged: Record<string, string> = {
    'another sign-in’s seal': others.seal ?? '',
    'claims as factors': `f${stored.seal}`,
    'factors as claims': strong.seal?.slice(1) ?? '',
    'the prefix twice': `f${strong.seal}`,
    truncated: strong.seal?.slice(0, -2) ?? '',
    'the factors of nobody': 'f',
  }
  for (const [how, seal] of Object.entries(forged)) t.equal(methods({ ...stored, seal }), null, how)
  const weak = sealRecord(KEYS, { ...unread, factors })
  t.same(methods({ ...strong, seal: weak.seal ?? '' }), ['password'], 'only the seal from before the step-up')
})

t.test('factors go with the secret, and those of a later version count as altered', async (t) => {
  const strong = sealRecord(KEYS, { ...record, factors: STRONG })
  t.equal(isStale(keysOf('next', 'now'), strong), true)
  t.equal(isStale(KEYS, strong), false)
  t.equal(openRecord(keysOf('next', 'now'), strong)?.isGenuine, true)
  t.same(openRecord(keysOf('next'), strong), { signIn: { ...unread, claims: null }, isGenuine: false })
  const { accountId, id, mode, epoch, generation, createdAt, absoluteExpiresAt, ip, userAgent, sessionKey } =
    record
  const name = [
    accountId,
    id,
    mode,
    epoch,
    generation,
    createdAt,
    absoluteExpiresAt,
    ip,
    userAgent,
    sessionKey,
  ]
  for (const content of [[null, 'Zabc123'], [null, 'Pabc123Pabc124'], [null, ''], [null], [null, 7]]) {
    const seal = `f${sealText(KEYS, `factors.${JSON.stringify(name)}`, JSON.stringify(content))}`
    t.equal(openRecord(KEYS, { ...stored, seal }), null, JSON.stringify(content))
  }
})
