import { randomBytes } from 'node:crypto'
import { createRemoteJWKSet, customFetch, jwtVerify } from 'jose'
import t from 'tap'
import { type Fleet, startFleet } from './helpers/fleet.js'
import { parts } from './helpers/forge.js'
import { keyPair } from './helpers/signing-key.js'
import { SteadyLoad } from './helpers/steady-load.js'

const LIFETIME = 7200
const BASE = {
  AUTH_SECRETS: randomBytes(32).toString('base64url'),
  REFRESH_TOKEN_TTL: String(LIFETIME),
  SESSION_IDLE_TTL: String(LIFETIME),
  SESSION_ABSOLUTE_TTL: String(LIFETIME),
}

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
    const env = (...keys: string[]) => ({ ...BASE, TOKEN_PRIVATE_KEY: keys.join(',') })
    await fleet.deploy(BASE)
    const service = lateService(fleet)
    const load = new SteadyLoad(fleet, LIFETIME, service.verify)
    t.teardown(() => load.stop())
    load.start()
    await load.round()
    const deploy = async (stage: string, ...keys: string[]) => {
      await service.refetch()
      await fleet.deploy(env(...keys), load)
      t.strictSame(load.refusals, [], stage)
      t.strictSame(service.refused, [], `${stage}: another service`)
    }

    await deploy('publish the first key', 'shared', old.privatePem)
    t.strictSame(Object.keys(service.verified), ['HS256'], 'it does not sign yet')
    await deploy('sign with it', old.privatePem, 'shared')
    await load.advance(600)
    await load.advance(600)
    await deploy('refuse tokens under the secrets', old.privatePem)
    await deploy('append', old.privatePem, next.privatePem)
    t.strictSame(Object.keys(service.verified), ['HS256', 'EdDSA'])
    await deploy('move to the front', next.privatePem, old.publicPem)
    await load.advance(600)
    await load.advance(600)
    await deploy('remove', next.privatePem)
    await load.stop()
    t.strictSame(Object.keys(service.verified), ['HS256', 'EdDSA', 'ES256'])
    t.ok(load.answers > 150, `${load.answers} answers`)
  },
)
