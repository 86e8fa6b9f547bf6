import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { AccountSource, Clock, StoresOptions } from '../plugins/index.js'
import { ALICE, credentialOf, startSuite, who } from './helpers/any-version.js'
import { type EarlierVersion, earlierVersions, type Held, type Left } from './helpers/earlier-versions.js'
import { MODES, post, userInfo } from './helpers/http.js'
import { startUserCenter } from './helpers/user-center.js'

/* Nobody is signed out by an upgrade from any earlier version. rolling-deploy.test.ts is about two versions at once. */

async function checkCredential(
  t: Test,
  app: FastifyInstance,
  { name, headers, expect }: Held,
): Promise<void> {
  const response = await userInfo(app, headers)
  t.equal(response.statusCode, expect.status, name)
  if (expect.username) t.equal(response.json().data.username, expect.username, name)
  else t.equal(response.json().error, expect.error, name)
}

async function checkRefresh(t: Test, app: FastifyInstance, { name, refresh, expect }: Held): Promise<void> {
  const response = await post(app, '/refresh_token', { refresh_token: refresh })
  t.equal(response.statusCode, expect.status === 200 ? 200 : 401, `${name}: refreshed`)
}

const LOGINS: readonly [username: string, password: string, status: number][] = [
  ['user1', 'user123', 200],
  ['Zoë', 'long enough, 3 letters', 200],
  ['disabled', 'long enough, 8 letters', 401],
  ['promoted', 'long enough, 8 letters', 200],
  ['changed', 'long enough, 7 letters', 401],
  ['changed', 'another password 2', 200],
]

async function checkUserCenter(t: Test, app: FastifyInstance, credentials: readonly Held[]): Promise<void> {
  for (const held of credentials) await checkCredential(t, app, held)
  for (const held of credentials) if (held.refresh) await checkRefresh(t, app, held)
  for (const [username, password, status] of LOGINS) {
    const response = await post(app, '/login_session', { username, password })
    t.equal(response.statusCode, status, `${username} signs in`)
  }
  for (const mode of ['cookie', 'session', 'token']) {
    const { headers } = credentials.find(({ name }) => name === `live ${mode}`) ?? { headers: {} }
    t.equal((await app.inject({ method: 'POST', url: `/logout_${mode}`, headers })).statusCode, 200)
    t.equal((await userInfo(app, headers)).json().error, 'SIGNED_OUT', `${mode}: signs out`)
  }
}

async function checkCarts(t: Test, app: FastifyInstance, { carts }: Left): Promise<void> {
  for (const cookie of [carts.visitor, carts.alice]) {
    const response = await app.inject({ url: '/cart', headers: { cookie } })
    t.strictSame(response.json().cart, ['tea', 'honey'])
  }
  t.equal((await who(app, { cookie: carts.alice })).json().username, 'alice')
}

const fixedAt =
  ({ madeAt }: Left): Clock =>
  () =>
    madeAt

/** Every account that signed in. Only its id counts. */
const accounts: AccountSource = { verify: async () => null, find: async (id) => ({ ...ALICE, id }) }

/** An application of this version on what the earlier one left. */
function startOn(t: Test, left: Left, state: StoresOptions): Promise<FastifyInstance> {
  return startSuite(t, { secrets: [left.secret], clock: fixedAt(left), state, accounts })
}

const onEmbedded = (t: Test, { left, dataDirWith }: EarlierVersion) =>
  startOn(t, left.embedded, { dataDir: dataDirWith(t, 'embedded.db') })

const onRedis = async (t: Test, { left, restoredRedis }: EarlierVersion) =>
  startOn(t, left.scaled, { redisUrl: await restoredRedis(t), referenceClock: fixedAt(left.scaled) })

/** The user center on what the earlier version left. */
async function centerOn(t: Test, left: Left, env: Record<string, string>): Promise<void> {
  const clock = Object.assign(fixedAt(left), { advance() {} })
  const { app } = await startUserCenter(t, { ...env, AUTH_SECRETS: left.secret }, clock)
  await checkUserCenter(t, app, left.credentials)
}

/** A step-up seals the record anew. Without a seal, anybody may have written the record, so there is no step-up. */
async function checkFactors(
  t: Test,
  app: FastifyInstance,
  { credentials }: Left,
  seals: boolean,
): Promise<void> {
  for (const mode of MODES) {
    const held = credentials.find(({ name }) => name === `live ${mode}`)
    const headers = held?.headers ?? {}
    const { factors, authTime } = (await who(app, headers)).json()
    const password = { method: 'password', at: authTime }
    t.strictSame(factors, [password], mode)
    const payload = { refreshToken: held?.refresh }
    const answer = await app.inject({ method: 'POST', url: '/step_up', headers, payload })
    if (seals) {
      const stronger = (await who(app, credentialOf(mode, answer) ?? headers)).json().factors
      t.match(stronger, [password, { method: 'totp' }], `${mode}: is stepped up`)
    } else {
      t.equal(answer.statusCode, 401, `${mode}: its person signs in again`)
      t.equal(answer.headers['set-cookie'], undefined)
      t.strictSame((await who(app, headers)).json().factors, factors)
    }
  }
}

for (const earlier of earlierVersions) {
  const { version, left, seals } = earlier
  t.test(`an embedded file of ${version}: who was signed in is, and who was signed out is not`, async (t) => {
    await centerOn(t, left.embedded, { DATA_DIR: earlier.dataDirWith(t, 'embedded.db') })
  })

  t.test(`an embedded file of ${version}: session data is still there`, async (t) => {
    await checkCarts(t, await onEmbedded(t, earlier), left.embedded)
  })

  t.test(`a Redis of ${version}: who was signed in is, and who was signed out is not`, async (t) => {
    const REDIS_URL = await earlier.restoredRedis(t)
    await centerOn(t, left.scaled, { DATA_DIR: earlier.dataDirWith(t, 'scaled.db'), REDIS_URL })
  })

  t.test(`a Redis of ${version}: session data is still there`, async (t) => {
    await checkCarts(t, await onRedis(t, earlier), left.scaled)
  })

  const canStepUp = seals ? 'can' : 'cannot'
  t.test(
    `a sign-in of ${version} counts as a password at its time, and ${canStepUp} be stepped up`,
    async (t) => {
      await checkFactors(t, await onEmbedded(t, earlier), left.embedded, seals)
      await checkFactors(t, await onRedis(t, earlier), left.scaled, seals)
    },
  )
}
