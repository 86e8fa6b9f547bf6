import t, { type Test } from 'tap'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { boundClient } from '../helpers/dpop.js'
import { ALICE, tokenApp } from '../helpers/token-app.js'

const TOKEN = { dpop: { origins: ['https://example.com'] } }

async function started(t: Test) {
  const events: object[] = []
  const context = await tokenApp(t, {
    token: TOKEN,
    after: async (app) => {
      app.audit.subscribe(({ time: _time, ip: _ip, ...event }) => void events.push(event))
    },
  })
  const { app, calls } = context
  const client = boundClient(app)
  const pair = await client.login(ALICE)
  calls.length = 0
  events.length = 0
  return { ...context, client, pair, events }
}

const summary = (answer: { statusCode: number; json(): { code?: string } }) => [
  answer.statusCode,
  answer.json().code,
]

t.test('a bound refresh token without a proof by its key changes nothing and raises no alarm', async (t) => {
  const { app, client, pair, refresh, calls, events } = await started(t)
  const { refreshToken, signInId } = pair
  const nonce = await client.nonce()
  const tries = [
    [400, 'PROOF_INVALID', 'missing', () => refresh(refreshToken)],
    [401, 'REFRESH_REFUSED', 'other_key', () => boundClient(app).refresh(refreshToken)],
    [400, 'PROOF_INVALID', 'invalid', () => client.refresh(refreshToken, { htm: 'GET' })],
    [400, 'PROOF_NONCE_REQUIRED', null, () => client.refresh(refreshToken, { nonce: undefined })],
  ] as const
  for (const [status, code, reason, attempt] of tries) {
    const answer = await attempt()
    t.strictSame(summary(answer), [status, code])
    if (status === 400) t.equal(answer.headers['dpop-nonce'], nonce)
    const about = { type: 'proof_refused', accountId: ALICE.id, signInId, mode: 'token', reason }
    t.strictSame(events.splice(0), reason ? [about] : [])
  }
  t.strictSame(calls, [], 'no store was asked')
  t.equal((await client.refresh(refreshToken)).statusCode, 200)
})

t.test('a proof that was used refreshes nothing', async (t) => {
  const { client, pair, calls, events } = await started(t)
  const proof = { jti: 'once' }
  const next = (await client.refresh(pair.refreshToken, proof)).json()
  calls.length = 0
  t.strictSame(summary(await client.refresh(next.refreshToken, proof)), [400, 'PROOF_INVALID'])
  t.match(events.at(-1), { type: 'proof_refused', reason: 'spent' })
  t.strictSame(calls, [])
  t.equal((await client.refresh(next.refreshToken)).statusCode, 200)
})

t.test('an unbound refresh token with a proof is refused, and stays good', async (t) => {
  const { client, login, refresh, calls } = await started(t)
  const { refreshToken } = await login()
  calls.length = 0
  t.strictSame(summary(await client.refresh(refreshToken)), [400, 'PROOF_INVALID'])
  t.strictSame(calls, [])
  t.equal((await refresh(refreshToken)).statusCode, 200)
})

t.test('a token of nobody is refused before its proof is looked at', async (t) => {
  const { client, calls, events } = await started(t)
  t.strictSame(summary(await client.refresh('v1.x')), [401, 'REFRESH_REFUSED'])
  t.strictSame([...calls, ...events], [])
})

t.test('an old bound token with a good proof is an alarm, as ever', async (t) => {
  const { client, pair, clock, events } = await started(t)
  const next = (await client.refresh(pair.refreshToken)).json()
  clock.now += 60_000
  t.strictSame(summary(await client.refresh(pair.refreshToken)), [401, 'REFRESH_REFUSED'])
  t.match(
    events.map((event) => Reflect.get(event, 'type')),
    ['refreshed', 'refresh_reuse_detected', 'sign_in_ended'],
  )
  t.match((await client.me(next.token)).json(), { code: 'SIGNED_OUT' })
})

t.test(
  'refreshes at the same moment: those with a proof share one successor, those without change nothing',
  async (t) => {
    const store = createMemoryStore()
    const { app, clock } = await tokenApp(t, { token: TOKEN, store })
    const client = boundClient(app)
    for (let round = 0; round < 20; round++) {
      const { refreshToken, signInId } = await client.login(ALICE)
      const thief = boundClient(app)
      const bare = () => app.inject({ method: 'POST', url: '/refresh', payload: { token: refreshToken } })
      const answers = await Promise.all([
        client.refresh(refreshToken),
        bare(),
        thief.refresh(refreshToken),
        client.refresh(refreshToken),
        bare(),
      ])
      t.strictSame(
        answers.map(({ statusCode }) => statusCode),
        [200, 400, 401, 200, 400],
      )
      const [first, , , second] = answers.map((answer) => answer.json().refreshToken)
      t.equal(first, second)
      t.match(await app.signIns.find(ALICE.id, signInId), { refresh: { counter: 1 } })
      clock.now += 1000
    }
  },
)
