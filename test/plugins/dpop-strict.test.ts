import t, { type Test } from 'tap'
import { NONCE_PERIOD } from '../../plugins/lib/dpop/nonces.js'
import { StoreUnavailable } from '../../plugins/lib/errors.js'
import type { StateStore } from '../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { boundClient, hashOf } from '../helpers/dpop.js'
import { ALICE, tokenApp } from '../helpers/token-app.js'

const origins = ['https://example.com']

async function instance(t: Test, store: StateStore, strict: boolean, clock = { now: Date.UTC(2026, 0) }) {
  return tokenApp(t, { store, clock, token: { dpop: { origins, strict } } })
}

for (const strict of [true, false]) {
  t.test(
    `two instances over one store${strict ? ', strict' : ''}: a proof is good ${strict ? 'once' : 'at each'}`,
    async (t) => {
      const store = createMemoryStore()
      const [one, two] = await Promise.all([instance(t, store, strict), instance(t, store, strict)])
      const client = boundClient(one.app)
      const { token } = await client.login(ALICE)
      const claims = { htu: 'https://example.com/me', ath: hashOf(token), nonce: await client.nonce() }
      const headers = { dpop: client.key.prove(claims), authorization: `DPoP ${token}` }
      const answers = await Promise.all([one, two].map(({ app }) => app.inject({ url: '/me', headers })))
      const statuses = answers.map(({ statusCode }) => statusCode).toSorted()
      t.strictSame(statuses, strict ? [200, 401] : [200, 200])
      const refused = answers.find(({ statusCode }) => statusCode === 401)
      if (strict) t.equal(refused?.json().code, 'PROOF_INVALID')
    },
  )
}

t.test('strict asks the store once for each proof, and not for a refused one', async (t) => {
  const { app, calls } = await instance(t, createMemoryStore(), true)
  const client = boundClient(app)
  const { token } = await client.login(ALICE)
  const spent = () => calls.splice(0).filter((call) => call === 'spendOnce').length
  t.equal(spent(), 1)
  await client.me(token)
  t.equal(spent(), 1)
  await client.me(token, { htm: 'POST' })
  await boundClient(app).me(token)
  t.equal(spent(), 0)
})

t.test('without the store, strict admits nobody, and the client may try again', async (t) => {
  const store = createMemoryStore()
  const context = await instance(t, store, true)
  const client = boundClient(context.app)
  const { token, refreshToken } = await client.login(ALICE)
  const { spendOnce } = store
  Reflect.set(store, 'spendOnce', () => Promise.reject(new StoreUnavailable()))
  for (const answer of [await client.me(token), await client.refresh(refreshToken)])
    t.match([answer.statusCode, answer.json().code], [503, 'STORE_UNAVAILABLE'])
  Reflect.set(store, 'spendOnce', spendOnce)
  t.equal((await client.me(token)).statusCode, 200)
  t.equal((await client.refresh(refreshToken)).statusCode, 200)
})

t.test('a proof whose nonce ends while its sign-in is looked up is not used', async (t) => {
  const clock = { now: 1000 * NONCE_PERIOD }
  const store = createMemoryStore()
  for (const strict of [true, false]) {
    const { app } = await instance(t, store, strict, clock)
    const client = boundClient(app)
    const { token } = await client.login(ALICE)
    const nonce = await client.nonce()
    const { isLive } = store
    Reflect.set(store, 'isLive', async (...args: Parameters<typeof isLive>) => {
      clock.now += 2 * NONCE_PERIOD
      return Reflect.apply(isLive, store, args)
    })
    t.match((await client.me(token, { nonce })).json(), { code: 'PROOF_NONCE_REQUIRED' })
    Reflect.set(store, 'isLive', isLive)
    t.equal((await client.me(token)).statusCode, 200)
  }
})

t.test('strict over a store that cannot do it stops the start', async (t) => {
  const store = createMemoryStore()
  Reflect.set(store, 'spendOnce', undefined)
  await t.rejects(instance(t, store, true), { code: 'OPTION_INVALID', message: /dpop\.strict/ })
})
