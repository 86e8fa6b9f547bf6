import t, { type Test } from 'tap'
import type { Profile, SignInRef } from '../../../../plugins/lib/contract.js'
import { createKeyRing } from '../../../../plugins/lib/credentials/keys.js'
import { StoreUnavailable } from '../../../../plugins/lib/errors.js'
import type { StateStore } from '../../../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../../../plugins/lib/stores/memory/store.js'
import { deriveRefreshToken } from '../../../../plugins/lib/token/refresh-token.js'
import { parts } from '../../../helpers/forge.js'
import { ALICE, OLD_SECRET, SECRET, START, tokenApp } from '../../../helpers/token-app.js'

const GRACE = 10_000
const DAY = 86_400_000

type Answer = Awaited<ReturnType<Awaited<ReturnType<typeof tokenApp>>['refresh']>>

function isRefused(t: Test, answer: Answer, name = 'refresh'): void {
  t.equal(answer.statusCode, 401, name)
  t.equal(answer.json().code, 'REFRESH_REFUSED', name)
}

function isGranted(t: Test, answer: Answer, name = 'refresh') {
  t.equal(answer.statusCode, 200, name)
  return answer.json()
}

t.test('a refresh gives another pair for the same sign-in', async (t) => {
  const { login, refresh, me, clock } = await tokenApp(t)
  const first = await login(ALICE, { tenant: 't-1' })
  clock.now += DAY
  const second = isGranted(t, await refresh(first.refreshToken))
  t.strictSame(Object.keys(second).sort(), Object.keys(first).sort())
  t.equal(second.signInId, first.signInId)
  t.not(second.refreshToken, first.refreshToken)
  t.not(parts(second.token).payload.jti, parts(first.token).payload.jti)
  t.match((await me(second.token)).json(), { authTime: START, claims: { tenant: 't-1' } })
})

t.test('rotating never extends the sign-in, and no access token outlives it', async (t) => {
  const { login, refresh, me, clock } = await tokenApp(t, { token: { refreshTtl: 1000 } })
  let pair = await login()
  t.equal(pair.refreshExpiresIn, 1000)
  clock.now += 400_000
  pair = isGranted(t, await refresh(pair.refreshToken))
  t.match(pair, { expiresIn: 600, refreshExpiresIn: 600 })
  clock.now += 599_000
  pair = isGranted(t, await refresh(pair.refreshToken))
  t.match(pair, { expiresIn: 1, refreshExpiresIn: 1 })
  clock.now += 1000
  isRefused(t, await refresh(pair.refreshToken))
  t.equal((await me(pair.token)).json().code, 'TOKEN_EXPIRED')
})

t.test('in the sign-in’s last moment there is no token to give that would be valid', async (t) => {
  const clock = { now: START + 500 }
  const { login, refresh, store } = await tokenApp(t, { clock, token: { refreshTtl: 10 } })
  const { refreshToken, signInId } = await login()
  clock.now += 9600
  isRefused(t, await refresh(refreshToken))
  t.equal((await store.findSignIn(ALICE.id, signInId, clock.now))?.refresh?.counter, 0)
})

t.test('a refresh is one question to the store, and one to what is in memory', async (t) => {
  const store = Object.assign(createMemoryStore(), { revision: () => 0 })
  const { login, refresh, calls } = await tokenApp(t, { store })
  const asked = () => calls.splice(0).filter((name) => name !== 'revision')
  const first = await login(ALICE, { tenant: 't-1' })
  asked()
  const second = isGranted(t, await refresh(first.refreshToken))
  t.strictSame(asked(), ['rotateRefresh', 'isLive'])
  isGranted(t, await refresh(first.refreshToken), 'within the grace')
  isGranted(t, await refresh(second.refreshToken))
  t.strictSame(asked(), ['rotateRefresh', 'isLive', 'rotateRefresh', 'isLive'])
})

t.test('accounts that cannot be asked: 503, and nothing has changed', async (t) => {
  let isDown = true
  const find = async () => {
    if (isDown) throw new StoreUnavailable()
    return ALICE
  }
  const { login, refresh, calls } = await tokenApp(t, { token: { accounts: { find } } })
  const { refreshToken } = await login()
  calls.length = 0
  t.equal((await refresh(refreshToken)).statusCode, 503)
  t.strictSame(calls, [])
  isDown = false
  isGranted(t, await refresh(refreshToken))
})

t.test('a reused token of a sign-in that was ended is refused, and no theft is told of', async (t) => {
  const log: string[] = []
  const { app, login, refresh, store } = await tokenApp(t, { log, token: { refreshGrace: 0 } })
  const first = await login()
  isGranted(t, await refresh(first.refreshToken))
  // By the list alone: the record is there.
  await store.raiseEpoch(ALICE.id, 1, null, START + DAY)
  isRefused(t, await refresh(first.refreshToken))
  t.ok(await app.signIns.find(ALICE.id, first.signInId))
  t.notOk(log.some((line) => line.includes('refresh_reuse_detected')))
})

const LOST_FEED = { healthy: () => false, onChange: () => () => {} }
const UNTRUSTED = {
  'the feed is lost': { feed: LOST_FEED },
  'the store must ask elsewhere': { revision: () => -1 },
  'the store knows of no revision': { revision: undefined },
}

for (const [why, parts] of Object.entries(UNTRUSTED))
  t.test(`where ${why}, it is asked who is live before a token is rotated`, async (t) => {
    const memory = createMemoryStore()
    const state = { isDown: false }
    const store = new Proxy(memory, {
      get(target, name) {
        if (name in parts) return Reflect.get(parts, name)
        const value: unknown = Reflect.get(target, name)
        if (name !== 'isLive') return typeof value === 'function' ? value.bind(target) : value
        return async (ref: SignInRef) => {
          if (state.isDown) throw new StoreUnavailable()
          return target.isLive(ref)
        }
      },
    })
    const { login, refresh, clock } = await tokenApp(t, { store })
    const { refreshToken, signInId } = await login()
    state.isDown = true
    t.equal((await refresh(refreshToken)).statusCode, 503)
    t.equal((await memory.findSignIn(ALICE.id, signInId, clock.now))?.refresh?.counter, 0)
    clock.now += GRACE
    state.isDown = false
    isGranted(t, await refresh(refreshToken))
  })

t.test('a new access token says what the account is now', async (t) => {
  const { login, refresh, me, accounts } = await tokenApp(t)
  const { refreshToken } = await login()
  const changed: Profile = { ...ALICE, username: 'alicia', role: 'user', avatar: '/a.png' }
  accounts.set(ALICE.id, changed)
  const { token } = isGranted(t, await refresh(refreshToken))
  t.match((await me(token)).json(), { username: 'alicia', role: 'user' })
  t.equal(parts(token).payload.avatar, undefined)
})

t.test('within the grace a retry gets the same successor', async (t) => {
  const { login, refresh, me, clock } = await tokenApp(t)
  const first = await login()
  const second = isGranted(t, await refresh(first.refreshToken))
  clock.now += GRACE - 1
  const again = isGranted(t, await refresh(first.refreshToken))
  t.equal(again.refreshToken, second.refreshToken)
  t.equal((await me(second.token)).statusCode, 200)
  isGranted(t, await refresh(second.refreshToken), 'the successor works')
})

t.test('when the grace has passed, the same is theft: the whole sign-in ends', async (t) => {
  const { login, refresh, me, clock } = await tokenApp(t)
  const other = await login()
  const first = await login()
  const second = isGranted(t, await refresh(first.refreshToken))
  clock.now += GRACE
  isRefused(t, await refresh(first.refreshToken))
  isRefused(t, await refresh(second.refreshToken))
  t.equal((await me(second.token)).json().code, 'SIGNED_OUT')
  t.equal((await me(other.token)).statusCode, 200, 'another sign-in of the account lives on')
})

t.test('once the successor was used, its predecessor is theft within the grace too', async (t) => {
  const { login, refresh, me } = await tokenApp(t)
  const first = await login()
  const second = isGranted(t, await refresh(first.refreshToken))
  const third = isGranted(t, await refresh(second.refreshToken))
  isRefused(t, await refresh(first.refreshToken))
  isRefused(t, await refresh(third.refreshToken))
  t.equal((await me(third.token)).json().code, 'SIGNED_OUT')
})

t.test('without a grace every second use is theft', async (t) => {
  const { login, refresh } = await tokenApp(t, { token: { refreshGrace: 0 } })
  const first = await login()
  const second = isGranted(t, await refresh(first.refreshToken))
  isRefused(t, await refresh(first.refreshToken))
  isRefused(t, await refresh(second.refreshToken))
})

t.test(
  'the sign-in that a change spares is refreshed, and its thief noticed, before the change is told',
  async (t) => {
    const { login, refresh, me, accounts } = await tokenApp(t)
    const [first, other] = [await login(), await login()]
    accounts.set(ALICE.id, { ...ALICE, epoch: 1, spared: first.signInId })
    isRefused(t, await refresh(other.refreshToken), 'another one')
    const second = isGranted(t, await refresh(first.refreshToken))
    const third = isGranted(t, await refresh(second.refreshToken))
    isRefused(t, await refresh(first.refreshToken), 'theft')
    t.equal((await me(third.token)).json().code, 'SIGNED_OUT')
  },
)

t.test('a sign-in that an earlier change spared is refused its refresh by the next', async (t) => {
  const { login, refresh, accounts } = await tokenApp(t)
  const { refreshToken, signInId } = await login()
  for (const spared of [null, undefined, 'another']) {
    accounts.set(ALICE.id, { ...ALICE, epoch: 2, spared })
    isRefused(t, await refresh(refreshToken), String(spared))
  }
  accounts.set(ALICE.id, { ...ALICE, epoch: 2, spared: signInId })
  isGranted(t, await refresh(refreshToken), 'nothing was ended by that')
})

t.test('theft is logged with ids and without a credential', async (t) => {
  const log: string[] = []
  const { login, refresh } = await tokenApp(t, { log, token: { refreshGrace: 0 } })
  const first = await login()
  const second = isGranted(t, await refresh(first.refreshToken))
  await refresh(first.refreshToken)
  const audit = log.map((line) => JSON.parse(line)).filter(({ level }) => level === 40)
  const { signInId } = first
  t.match(audit, [{ msg: 'refresh_reuse_detected', audit: { accountId: ALICE.id, signInId, mode: 'token' } }])
  for (const pair of [first, second]) {
    t.notOk(log.some((line) => line.includes(pair.token) || line.includes(pair.refreshToken)))
  }
})

t.test('a refused refresh changes nothing: the same token is no theft when the reason is gone', async (t) => {
  const { login, refresh, accounts, calls, clock, store } = await tokenApp(t)
  const { refreshToken, signInId } = await login()
  const reasons = [
    () => accounts.delete(ALICE.id),
    () => accounts.set(ALICE.id, { ...ALICE, id: 'b-2' }),
    () => accounts.set(ALICE.id, { ...ALICE, epoch: 1 }),
  ]
  for (const [index, change] of reasons.entries()) {
    calls.length = 0
    change()
    isRefused(t, await refresh(refreshToken))
    t.notOk(calls.includes('endSignIn'))
    t.equal((await store.findSignIn(ALICE.id, signInId, clock.now))?.refresh?.counter, 0, `${index}`)
    accounts.set(ALICE.id, ALICE)
    clock.now += 2 * GRACE
  }
  isGranted(t, await refresh(refreshToken))
})

t.test(
  'an account that the source describes wrongly is the application’s mistake, and changes nothing',
  async (t) => {
    const { login, refresh, accounts, clock, store } = await tokenApp(t)
    const { refreshToken, signInId } = await login(ALICE, { a: 'x'.repeat(1500) })
    accounts.set(ALICE.id, { ...ALICE, role: '' })
    t.equal((await refresh(refreshToken)).json().code, 'OPTION_INVALID')
    accounts.set(ALICE.id, { ...ALICE, username: 'u'.repeat(250), role: 'r'.repeat(250) })
    t.equal((await refresh(refreshToken)).json().code, 'CLAIM_INVALID', 'the token would be too long')
    t.equal((await store.findSignIn(ALICE.id, signInId, clock.now))?.refresh?.counter, 0)
    clock.now += 2 * GRACE
    accounts.set(ALICE.id, ALICE)
    isGranted(t, await refresh(refreshToken))
  },
)

t.test('raising the account’s epoch ends every sign-in but the one that it spares', async (t) => {
  const { login, refresh, store, accounts, clock } = await tokenApp(t)
  const spared = await login()
  const other = await login()
  accounts.set(ALICE.id, { ...ALICE, epoch: 1 })
  isRefused(t, await refresh(spared.refreshToken), 'not known to be spared as long as only the row says so')
  await store.raiseEpoch(ALICE.id, 1, spared.signInId, clock.now + 7 * DAY)
  isRefused(t, await refresh(other.refreshToken))
  isGranted(t, await refresh(spared.refreshToken))
  accounts.set(ALICE.id, { ...ALICE, epoch: 2 })
  isRefused(t, await refresh(spared.refreshToken), 'spared once is not spared for ever')
})

t.test('a refresh token lives through a rotation of the secrets', async (t) => {
  const store = createMemoryStore()
  const at = (secrets: string[]) => tokenApp(t, { store, secrets })
  const [old, appended, moved, removed] = [
    await at([OLD_SECRET]),
    await at([OLD_SECRET, SECRET]),
    await at([SECRET, OLD_SECRET]),
    await at([SECRET]),
  ]
  const first = await old.login()
  const second = isGranted(t, await moved.refresh(first.refreshToken), 'made before, used after')
  const repeated = isGranted(t, await appended.refresh(first.refreshToken), 'a retry at another instance')
  t.equal(repeated.refreshToken, second.refreshToken, 'gets the very same successor')
  isRefused(t, await old.refresh(first.refreshToken), 'one that cannot derive the successor refuses')
  isRefused(t, await removed.refresh(first.refreshToken))
  isGranted(t, await removed.refresh(second.refreshToken))
})

t.test(
  'a repeated refresh derives the successor under the key that it was first derived under',
  async (t) => {
    const store = createMemoryStore()
    const appended = await tokenApp(t, { store, secrets: [OLD_SECRET, SECRET] })
    const moved = await tokenApp(t, { store, secrets: [SECRET, OLD_SECRET] })
    const first = await appended.login()
    const second = isGranted(t, await appended.refresh(first.refreshToken))
    t.equal(isGranted(t, await moved.refresh(first.refreshToken)).refreshToken, second.refreshToken)
  },
)

t.test('a genuine counter above the stored one means a lost write: it is caught up with', async (t) => {
  const { login, refresh, store, clock } = await tokenApp(t)
  const { signInId } = await login()
  const keys = createKeyRing([SECRET]).purpose('refresh-token')
  const record = await store.findSignIn(ALICE.id, signInId, clock.now)
  if (!record) throw new Error('there is no record')
  const at = (counter: number) =>
    deriveRefreshToken(keys, { ...record, refresh: { counter, keyId: keys.signing.id, rotatedAt: START } })
  const { refreshToken } = isGranted(t, await refresh(at(5) ?? ''))
  t.equal(refreshToken, at(6))
})

t.test('any refresh token of a sign-in, old or new, ends it without a theft alarm', async (t) => {
  const log: string[] = []
  const { login, refresh, post, me, clock } = await tokenApp(t, { log })
  for (const which of ['old', 'new'] as const) {
    const first = await login()
    const second = isGranted(t, await refresh(first.refreshToken))
    clock.now += 2 * GRACE
    const token = which === 'old' ? first.refreshToken : second.refreshToken
    t.same((await post('/revoke', { token })).json(), { ended: true })
    t.equal((await me(second.token)).json().code, 'SIGNED_OUT')
    isRefused(t, await refresh(second.refreshToken))
    t.same((await post('/revoke', { token })).json(), { ended: true }, 'twice does nothing more')
  }
  t.notOk(log.some((line) => line.includes('used again')))
})

t.test('a sign-in that ends while a refresh runs gives no live token', async (t) => {
  const memory = createMemoryStore()
  const { login, refresh, me, store, accounts } = await tokenApp(t, { store: memory })
  const { refreshToken, signInId, token } = await login()
  // The account is looked up after the sign-in was found live: the logout comes in between.
  const get = accounts.get.bind(accounts)
  accounts.get = (id) => {
    void store.endSignIn(ALICE.id, signInId, START + DAY)
    return get(id)
  }
  isRefused(t, await refresh(refreshToken))
  t.equal((await me(token)).json().code, 'SIGNED_OUT')
})

t.test('a store that keeps no empty claims is as good', async (t) => {
  const memory = createMemoryStore()
  const store: StateStore = new Proxy(memory, {
    get(target, name) {
      if (name === 'addSignIn') {
        return (record: Parameters<StateStore['addSignIn']>[0]) =>
          memory.addSignIn({ ...record, claims: null })
      }
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const { login, refresh, me } = await tokenApp(t, { store })
  const { token } = isGranted(t, await refresh((await login()).refreshToken))
  t.match((await me(token)).json(), { claims: {} })
})
