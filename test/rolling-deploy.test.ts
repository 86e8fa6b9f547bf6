import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { SuiteOptions } from '../plugins/index.js'
import {
  ALICE,
  CANNOT_JUDGE,
  credentialOf,
  refresh,
  refusedSoon,
  signInAt,
  startSuite,
  who,
} from './helpers/any-version.js'
import { DeviceClient } from './helpers/device-client.js'
import { boundClient } from './helpers/dpop.js'
import { type EarlierVersion, earlierVersions } from './helpers/earlier-versions.js'
import { MODES } from './helpers/http.js'
import { memoryApiKeys } from './helpers/memory-api-keys.js'
import { memoryFactors } from './helpers/memory-factors.js'
import { startRedis } from './helpers/redis-server.js'

/* A rolling deploy: an earlier version and this one serve one Redis. */

const SECRET = 'a secret of both versions, at least 32 bytes'
const ORIGIN = 'https://example.com'

/** The new features of this version. Device binding is absent: an earlier version refuses its credentials. */
const additions = (): Partial<SuiteOptions> => ({
  throttle: {},
  live: {},
  apiKey: { source: memoryApiKeys(() => ALICE).source },
  factors: { source: memoryFactors().source },
  token: { dpop: { origins: [ORIGIN] } },
})

async function startBoth(t: Test, earlier: EarlierVersion, more: Partial<SuiteOptions> = {}) {
  const server = await startRedis({ tcp: true })
  t.teardown(() => server.stop())
  const both = { secrets: [SECRET], state: { redisUrl: server.url }, secure: more.secure ?? false }
  const old = await startSuite(t, both, await earlier.publishedPlugins(t))
  const now = await startSuite(t, { ...both, ...more })
  return { old, now }
}

/** A sign-in of one instance is recognised, listed and ended at the other. */
async function checkTrip(t: Test, from: FastifyInstance, to: FastifyInstance, name: string): Promise<void> {
  for (const mode of MODES) {
    const { headers } = await signInAt(from, mode)
    t.equal((await who(to, headers)).statusCode, 200, `${mode}, ${name}: recognised by the other`)
    t.equal((await to.signIns.list('alice')).length, 1)
    await to.inject({ method: 'POST', url: `/out/${mode}`, headers })
    t.equal(
      (await refusedSoon(from, headers)).json().code,
      'SIGNED_OUT',
      `${mode}, ${name}: signed out at the other`,
    )
  }
}

/** Each instance refreshes what the other one has issued. A copy of a used token ends the sign-in at both. */
async function checkRefreshes(t: Test, from: FastifyInstance, to: FastifyInstance): Promise<void> {
  const { headers, refreshToken: first } = await signInAt(from, 'token')
  const second = await refresh(to, first)
  t.equal((await who(from, credentialOf('token', second) ?? {})).statusCode, 200)
  const third = await refresh(from, second.json().refreshToken)
  t.equal((await who(to, credentialOf('token', third) ?? {})).statusCode, 200)
  t.equal((await refresh(to, first)).json().code, 'REFRESH_REFUSED')
  for (const app of [from, to]) {
    t.equal((await refusedSoon(app, headers)).json().code, 'SIGNED_OUT')
    t.equal((await refresh(app, third.json().refreshToken)).json().code, 'REFRESH_REFUSED')
  }
}

/** From 0.2 on, the record seals its claims. Without a seal, anybody may have written them. */
async function checkClaims(
  t: Test,
  from: FastifyInstance,
  to: FastifyInstance,
  seals: boolean,
): Promise<void> {
  const { headers, refreshToken } = await signInAt(from, 'token', { claims: { team: 'tea' } })
  t.strictSame((await who(to, headers)).json().claims, { team: 'tea' })
  const answer = await refresh(to, refreshToken)
  if (!seals) return void t.equal(answer.json().code, 'REFRESH_REFUSED')
  t.strictSame((await who(from, credentialOf('token', answer) ?? {})).json().claims, { team: 'tea' })
}

async function checkBoth(t: Test, earlier: EarlierVersion, more: Partial<SuiteOptions>): Promise<void> {
  const { old, now } = await startBoth(t, earlier, more)
  await checkTrip(t, old, now, `signed in by ${earlier.version}`)
  await checkTrip(t, now, old, 'signed in by this version')
  for (const [from, to] of [
    [old, now],
    [now, old],
  ] as const) {
    await checkRefreshes(t, from, to)
    await checkClaims(t, from, to, earlier.seals)
  }
}

for (const earlier of earlierVersions) {
  const { version } = earlier
  t.test(`${version} and this version serve one Redis`, (t) => checkBoth(t, earlier, {}))

  t.test(`${version} and this version with all that it adds serve one Redis`, (t) =>
    checkBoth(t, earlier, additions()),
  )

  t.test(`a sign-in that this version has bound is whole for ${version} on the same Redis`, async (t) => {
    const { old, now } = await startBoth(t, earlier)
    const { headers } = await signInAt(now, 'session')
    const { signInId } = (await who(now, headers)).json()
    await now.signIns.settleBinding('alice', signInId, 'bound')
    t.equal((await who(old, headers)).statusCode, 200)
    t.equal((await old.signIns.list('alice'))[0]?.id, signInId)
    const ref = { accountId: 'alice', signInId, epoch: 0, generation: 0 }
    t.equal(await old.signIns.touch(ref, 3600), true)
    t.equal((await now.signIns.find('alice', signInId))?.binding, 'bound', 'it changes no binding')
    await old.inject({ method: 'POST', url: '/out/session', headers })
    t.equal((await refusedSoon(now, headers)).json().code, 'SIGNED_OUT')
  })

  t.test(`${version} refuses the sign-ins that gave a second factor, and does not list them`, async (t) => {
    const { old, now } = await startBoth(t, earlier)
    for (const mode of MODES) {
      const { headers, refreshToken } = await signInAt(now, mode, { factors: ['password', 'totp'] })
      t.equal((await who(now, headers)).statusCode, 200)
      t.equal((await who(old, headers)).json().code, CANNOT_JUDGE[mode], mode)
      if (mode === 'token') t.equal((await refresh(old, refreshToken)).json().code, 'REFRESH_REFUSED')
      t.strictSame(await old.signIns.list('alice'), [])
      t.equal((await who(now, headers)).statusCode, 200, `${mode}: it stays at this version`)
      await now.inject({ method: 'POST', url: `/out/${mode}`, headers })
    }
  })

  t.test(`${version} refuses the sign-ins that were stepped up`, async (t) => {
    const { old, now } = await startBoth(t, earlier)
    for (const mode of MODES) {
      const { headers, refreshToken } = await signInAt(now, mode)
      t.equal((await who(old, headers)).statusCode, 200)
      const answer = await now.inject({ method: 'POST', url: '/step_up', headers, payload: { refreshToken } })
      const stronger = credentialOf(mode, answer) ?? headers
      t.equal((await who(now, stronger)).json().factors.length, 2)
      t.equal((await refusedSoon(old, stronger)).json().code, CANNOT_JUDGE[mode], mode)
      t.strictSame(await old.signIns.list('alice'), [])
      await now.inject({ method: 'POST', url: `/out/${mode}`, headers: stronger })
    }
  })

  t.test(`${version} refuses what this version issues with device binding and DPoP`, async (t) => {
    const deviceBinding = { mode: 'on' } as const
    const token = { dpop: { origins: [ORIGIN] } }
    const { old, now } = await startBoth(t, earlier, { secure: true, deviceBinding, token })
    for (const mode of ['cookie', 'session'] as const) {
      for (const registers of [true, false]) {
        const client = Object.assign(new DeviceClient(now, Date.now), { registers })
        await client.post(`/in/${mode}`)
        t.equal((await client.get('/who')).statusCode, 200)
        t.equal((await who(old, { cookie: client.cookies() })).json().code, CANNOT_JUDGE[mode], mode)
      }
    }
    const client = boundClient(now, undefined, { origin: ORIGIN, login: '/in/token', body: {} })
    const pair = (await client.send('POST', '/in/token', { payload: {} })).json()
    t.equal((await client.send('GET', '/who', { token: pair.token })).statusCode, 200)
    t.equal((await who(old, { authorization: `Bearer ${pair.token}` })).json().code, CANNOT_JUDGE.token)
    t.equal((await refresh(old, pair.refreshToken)).json().code, 'REFRESH_REFUSED')
  })
}
