import Fastify from 'fastify'
import t, { type Test } from 'tap'
import suite, { type Account, type AccountSource } from '../../plugins/index.js'
import { signedIn } from '../../plugins/lib/testing.js'

const ANN: Account<number> = { id: 42, username: 'ann', role: 'user' }

/** A users table whose key is a number, as most are. */
const accounts: AccountSource<number> = {
  verify: async (username, password) => (username === 'ann' && password === 'right' ? ANN : null),
  find: async (id) => (Number(id) === 42 ? ANN : null),
}

async function start(t: Test) {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(suite, {
    secrets: ['a-secret-of-this-test-0123456789abcdef'],
    state: { memory: true },
    accounts,
    throttle: {},
  })
  app.get('/me', { preHandler: app.guard() }, ({ identity }) => identity)
  app.post<{ Body: { refreshToken: string } }>('/refresh', (request) =>
    app.refreshTokens.refresh(request, request.body.refreshToken),
  )
  for (const mode of ['token', 'cookie'] as const) {
    app.post<{ Body: { username: string; password: string } }>(`/${mode}`, (request) =>
      app.throttle.signIn(request, mode, request.body),
    )
  }
  return app
}

const PASSWORD = { username: 'ann', password: 'right' }

for (const mode of ['token', 'session', 'cookie'] as const) {
  t.test(`an account's number is its decimal text in the ${mode} mode`, async (t) => {
    const app = await start(t)
    const headers = await signedIn(app, ANN, mode)
    t.equal((await app.inject({ url: '/me', headers })).json().accountId, '42')
    for (const id of [42, '42']) {
      const [signIn] = await app.signIns.list(id)
      t.equal(signIn?.accountId, '42')
      t.equal((await app.signIns.find(id, signIn?.id ?? ''))?.id, signIn?.id)
      t.equal((await app.signIns.page(id, { limit: 1 })).signIns.length, 1)
    }
    t.equal(await app.signIns.endAll(42), 1)
    t.equal((await app.inject({ url: '/me', headers })).json().code, 'SIGNED_OUT')
  })
}

t.test('a number names the account of a single end, and of a raised epoch', async (t) => {
  const app = await start(t)
  const [first, second] = [await signedIn(app, ANN, 'cookie'), await signedIn(app, ANN, 'cookie')]
  const [newest] = await app.signIns.list(42)
  t.equal(await app.signIns.end({ accountId: 42, signInId: newest?.id ?? '' }), true)
  const codes = async () =>
    Promise.all(
      [first, second].map(async (headers) => (await app.inject({ url: '/me', headers })).statusCode),
    )
  t.same((await codes()).sort(), [200, 401])
  t.equal(await app.signIns.raiseEpoch({ id: 42, epoch: 1 }), 1)
  t.same(await codes(), [401, 401])
})

t.test('a refresh finds an account with a number, and a known device is recognised', async (t) => {
  const app = await start(t)
  const login = await app.inject({ method: 'POST', url: '/token', payload: PASSWORD })
  const { refreshToken } = login.json()
  t.equal((await app.inject({ method: 'POST', url: '/refresh', payload: { refreshToken } })).statusCode, 200)
  const device = async (cookie = '') => {
    const headers = cookie === '' ? {} : { cookie }
    const { cookies } = await app.inject({ method: 'POST', url: '/cookie', headers, payload: PASSWORD })
    const found = cookies.find(({ name }) => name.endsWith('device'))
    const [, , payload = ''] = found?.value.split('.') ?? []
    const { id, sub } = JSON.parse(Buffer.from(payload, 'base64url').toString())
    t.equal(sub, '42')
    return { id, cookie: `${found?.name}=${found?.value}` }
  }
  const first = await device()
  t.equal((await device(first.cookie)).id, first.id, 'it keeps its id')
})

t.test('a number that could stand for several accounts is refused', async (t) => {
  const app = await start(t)
  for (const id of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -(2 ** 53)]) {
    await t.rejects(signedIn(app, { ...ANN, id }), { code: 'OPTION_INVALID' })
    await t.rejects(app.signIns.list(id), { code: 'OPTION_INVALID' })
    await t.rejects(app.signIns.endAll(id), { code: 'OPTION_INVALID' })
    await t.rejects(app.signIns.end({ accountId: id, signInId: 'x' }), { code: 'OPTION_INVALID' })
    await t.rejects(app.signIns.raiseEpoch({ id, epoch: 1 }), { code: 'OPTION_INVALID' })
  }
  for (const id of [0, -7, Number.MAX_SAFE_INTEGER]) {
    const headers = await signedIn(app, { ...ANN, id }, 'cookie')
    t.equal((await app.inject({ url: '/me', headers })).json().accountId, String(id))
  }
})
