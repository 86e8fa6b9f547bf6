import t from 'tap'
import { claimsOf, identityOf, refOf } from '../../../../plugins/lib/credentials/identity-claims.js'
import { signInRecord } from '../../../store-contract.js'

const account = { id: 'account-1', username: 'alice', role: 'admin', epoch: 1 }
const START = 1_750_000_000_000
const record = signInRecord({ createdAt: START + 999, absoluteExpiresAt: START + 600_999 })

t.test('claims say who, which sign-in, and for how long, in whole seconds', async (t) => {
  t.strictSame(claimsOf(record, account, {}, START + 60_999, 60), {
    sub: 'account-1',
    username: 'alice',
    role: 'admin',
    epoch: 1,
    gen: 1,
    sid: 'sign-in-1',
    auth_time: START / 1000,
    iat: START / 1000 + 60,
    exp: START / 1000 + 120,
  })
})

t.test('they never outlive the sign-in', async (t) => {
  t.equal(claimsOf(record, account, {}, START, 9999).exp, START / 1000 + 600)
})

t.test('what the application added goes along, and nothing goes along as nothing', async (t) => {
  t.strictSame(claimsOf(record, account, { team: 7 }, START, 60).ext, { team: 7 })
  t.notOk('ext' in claimsOf(record, account, {}, START, 60))
})

t.test('the epoch and the generation are the record’s: those that the sign-in began under', async (t) => {
  const claims = claimsOf({ ...record, epoch: 4, generation: 9 }, { ...account, epoch: 5 }, {}, START, 60)
  t.strictSame(refOf(claims), { accountId: 'account-1', signInId: 'sign-in-1', epoch: 4, generation: 9 })
})

t.test('an identity is frozen all the way down, and shows times in ms', async (t) => {
  const ext = { list: [{ a: 1 }], nothing: null }
  const identity = identityOf(claimsOf(record, account, ext, START, 60), 'cookie')
  t.strictSame(identity, {
    accountId: 'account-1',
    username: 'alice',
    role: 'admin',
    mode: 'cookie',
    signInId: 'sign-in-1',
    authTime: START,
    factors: [{ method: 'password', at: START }],
    claims: { list: [{ a: 1 }], nothing: null },
  })
  for (const part of [
    identity,
    identity.factors,
    identity.factors?.[0],
    identity.claims,
    identity.claims.list,
  ])
    t.ok(Object.isFrozen(part))
  const bare = identityOf(claimsOf(record, account, {}, START, 60), 'token')
  t.strictSame(bare.claims, {})
  t.ok(Object.isFrozen(bare.claims))
})
