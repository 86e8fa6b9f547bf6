import { randomBytes } from 'node:crypto'
import { createRemoteJWKSet, customFetch, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import { Fleet } from './helpers/fleet.js'
import { parts } from './helpers/forge.js'
import { type Credential, MODES, post, signIn, userInfo } from './helpers/http.js'
import { startRedis } from './helpers/redis-server.js'
import { keyPair } from './helpers/signing-key.js'
import { SteadyLoad } from './helpers/steady-load.js'

const LIFETIME = 7200
const BASE = {
  REFRESH_TOKEN_TTL: String(LIFETIME),
  SESSION_IDLE_TTL: String(LIFETIME),
  SESSION_ABSOLUTE_TTL: String(LIFETIME),
}

const secret = () => randomBytes(32).toString('base64url')

async function startFleet(t: Test): Promise<Fleet> {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  return new Fleet(t, 3, redis.url)
}

/** A sign-in in each mode that is not used while keys rotate. */
async function leaveUnused(fleet: Fleet) {
  const left: { credential: Credential; refreshToken: string }[] = []
  for (const mode of MODES) left.push(await fleet.use(({ app }) => signIn(app, mode)))
  return left
}

/** Lets pass what anything under the old key lives, in steps, under load. */
async function outlive(load: SteadyLoad): Promise<void> {
  for (let passed = 0; passed <= LIFETIME; passed += 600) await load.advance(600)
}

t.test('AUTH_SECRETS rotates in three rolling deploys under load, and nobody is refused', async (t) => {
  const fleet = await startFleet(t)
  const [old, next] = [secret(), secret()]
  const env = (...secrets: string[]) => ({ ...BASE, AUTH_SECRETS: secrets.join(',') })
  await fleet.deploy(env(old))
  const load = new SteadyLoad(fleet, LIFETIME)
  const unused = await leaveUnused(fleet)
  const lost = await leaveUnused(fleet)
  load.start()
  await load.round()
  const quiet = (stage: string) => t.strictSame(load.refusals, [], stage)

  await fleet.deploy(env(old, next), () => load.round())
  quiet('append')
  await fleet.deploy(env(next, old), () => load.round())
  quiet('move to the front')
  for (const { credential, refreshToken } of unused) {
    await fleet.useEach(async ({ app }) => {
      t.equal((await userInfo(app, credential)).statusCode, 200)
    })
    if (!refreshToken) continue
    const refreshed = await fleet.use(({ app }) =>
      post(app, '/refresh_token', { refresh_token: refreshToken }),
    )
    t.equal(refreshed.statusCode, 200, 'nobody who was away is signed out')
  }
  await outlive(load)
  quiet('until the old secret’s credentials have ended')
  await fleet.deploy(env(next), () => load.round())
  await load.stop()
  quiet('remove')
  t.ok(load.answers > 300, `${load.answers} answers`)

  for (const { credential, refreshToken } of lost) {
    await fleet.useEach(async ({ app }) => {
      const error = credential.authorization ? 'TOKEN_INVALID' : 'CREDENTIAL_INVALID'
      t.match((await userInfo(app, credential)).json(), { code: 403, error }, 'the old secret is gone')
      if (!refreshToken) return
      const refused = await post(app, '/refresh_token', { refresh_token: refreshToken })
      t.match(refused.json(), { code: 401, error: 'REFRESH_REFUSED' })
    })
  }
})

/** Another service, which fetches our keys when it is told to and at no other time: the slowest that may be. */
function lateService(fleet: Fleet) {
  const keys = createRemoteJWKSet(new URL('http://any.invalid/.well-known/jwks.json'), {
    cacheMaxAge: Number.POSITIVE_INFINITY,
    cooldownDuration: Number.POSITIVE_INFINITY,
    [customFetch]: (url, init) => fleet.use(({ origin }) => fetch(origin + new URL(url).pathname, init)),
  })
  const verified: Record<string, number> = {}
  const refused: string[] = []
  const verify = async (token: string) => {
    const { alg } = parts(token).header
    verified[alg] = (verified[alg] ?? 0) + 1
    // Not for other services: they cannot have the secret.
    if (alg === 'HS256') return
    const ours = { issuer: 'fastify-identity', audience: 'fastify-identity', typ: 'at+jwt' }
    const options = { ...ours, algorithms: ['EdDSA', 'ES256'], currentDate: new Date(fleet.clock()) }
    await jwtVerify(token, keys, options).catch((error: Error) => refused.push(`${alg}: ${error.message}`))
  }
  return { verify, verified, refused, refetch: () => keys.reload() }
}

t.test(
  'TOKEN_PRIVATE_KEY comes and rotates in rolling deploys under load, and nobody is refused',
  async (t) => {
    const fleet = await startFleet(t)
    const [old, next] = [keyPair('EdDSA'), keyPair('ES256')]
    const base = { ...BASE, AUTH_SECRETS: secret() }
    const env = (...keys: string[]) => ({ ...base, TOKEN_PRIVATE_KEY: keys.join(',') })
    await fleet.deploy(base)
    const service = lateService(fleet)
    const load = new SteadyLoad(fleet, LIFETIME, service.verify)
    load.start()
    await load.round()
    const deploy = async (stage: string, ...keys: string[]) => {
      await service.refetch()
      await fleet.deploy(env(...keys), () => load.round())
      t.strictSame(load.refusals, [], stage)
      t.strictSame(service.refused, [], `${stage}: another service`)
    }

    await deploy('publish the first key', 'shared', old.privatePem)
    t.strictSame(Object.keys(service.verified), ['HS256'], 'it does not sign yet')
    await deploy('sign with it', old.privatePem)
    await deploy('append', old.privatePem, next.privatePem)
    t.strictSame(Object.keys(service.verified), ['HS256', 'EdDSA'])
    await deploy('move to the front', next.privatePem, old.publicPem)
    await load.advance(600)
    await load.advance(600)
    await deploy('remove', next.privatePem)
    await load.stop()
    t.strictSame(Object.keys(service.verified), ['HS256', 'EdDSA', 'ES256'])
    t.ok(load.answers > 300, `${load.answers} answers`)
  },
)
