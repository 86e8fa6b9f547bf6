import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import deviceBinding from '../../plugins/device-binding.js'
import type { StateStore } from '../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { deviceApp } from '../helpers/device-app.js'
import { DeviceClient } from '../helpers/device-client.js'
import { boundClient } from '../helpers/dpop.js'
import { eventually, openFollowed } from '../helpers/followed.js'
import { startRedis } from '../helpers/redis-server.js'
import { ALICE, buildSuite, cookieMode, faultyStore, sessionMode, tokenMode } from '../helpers/suite.js'

const SIGN_IN = { account: ALICE, options: {} }
const ORIGIN = 'https://example.com'

/** The store, and the operations that did not answer at once. */
function watched(inner: StateStore) {
  const trips: PropertyKey[] = []
  const store = new Proxy(inner, {
    get(target, name) {
      const operation: unknown = Reflect.get(target, name)
      if (typeof operation !== 'function') return operation
      return (...args: unknown[]) => {
        const result: unknown = Reflect.apply(operation, target, args)
        if (result instanceof Promise) trips.push(name)
        return result
      }
    },
  })
  return { store, trips }
}

/** One client for each mode, signed in and bound. Each asks once, and gives the status of its answer. */
async function boundClients(t: Test, inner: StateStore) {
  const { store, trips } = watched(inner)
  const bind = async (app: FastifyInstance) => void (await app.register(deviceBinding, { mode: 'on' }))
  const ambient = [sessionMode({ secure: true }), cookieMode({ secure: true })]
  const modes = [bind, ...ambient, tokenMode({ dpop: { origins: [ORIGIN] } })]
  const { app, clock } = await buildSuite(t, { store, modes })
  const asks = new Map<string, () => Promise<number>>()
  for (const mode of ['cookie', 'session'] as const) {
    const browser = new DeviceClient(app, clock.read)
    await browser.post(`/sign_in/${mode}`, SIGN_IN)
    asks.set(mode, async () => (await browser.get('/me')).statusCode)
  }
  const program = boundClient(app, undefined, { origin: ORIGIN, login: '/sign_in/token', body: SIGN_IN })
  const login = await program.send('POST', '/sign_in/token', { payload: SIGN_IN })
  const { token } = login.json().issued
  asks.set('token', async () => (await program.me(token)).statusCode)
  clock.advance(80)
  const bindings = (await app.signIns.list(ALICE.id)).map(({ binding }) => binding ?? '')
  t.equal(bindings.filter((binding) => /^(d1|dpop)/.test(binding)).length, asks.size)
  return { asks, trips }
}

t.test(
  'requests with a cached credential of a bound sign-in ask Redis nothing, in all three modes',
  async (t) => {
    const server = await startRedis()
    t.teardown(() => server.stop())
    const { asks, trips } = await boundClients(t, (await openFollowed(t, server.url)).store)
    for (const [mode, ask] of asks) {
      t.equal(await ask(), 200)
      // On a busy machine the list may be late. Then Redis is asked, as it should be.
      await eventually(async () => {
        trips.length = 0
        for (let times = 0; times < 20; times++) t.equal(await ask(), 200, mode)
        return trips.length === 0
      }, 10_000)
    }
  },
)

for (const mode of ['cookie', 'session'] as const)
  t.test(
    `${mode}: no entry in the list of ended sign-ins is spent on binding, or on its absence`,
    async (t) => {
      const { store, calls } = faultyStore(createMemoryStore())
      const { browser, signIn, clock } = await deviceApp(t, { store })
      for (const registers of [true, false]) {
        const client = browser()
        client.registers = registers
        await signIn(client, mode)
        for (const seconds of [30, 60, 1200]) {
          clock.advance(seconds)
          t.equal((await client.get('/me')).statusCode, 200)
        }
      }
      t.ok(calls.includes('settleBinding'))
      t.strictSame(
        calls.filter((name) => /^(end|raise|destroy)/.test(name)),
        [],
      )
    },
  )
