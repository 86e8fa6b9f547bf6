import { createHmac } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { createRemoteJWKSet, customFetch, type JWTVerifyOptions, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import type { SigningKeyInput } from '../../plugins/lib/token/signing-keys.js'
import { jwksRoutes } from '../../routes/jwks.js'
import { forge, keyOf, parts } from '../helpers/forge.js'
import { ALGORITHMS, type Algorithm, type KeyPair, keyPair } from '../helpers/signing-key.js'
import { ALICE, OLD_SECRET, SECRET, START, type TokenAppOptions, tokenApp } from '../helpers/token-app.js'

/** The application with these keys and the key set's route, as the user center has it. */
function appWith(t: Test, privateKeys?: readonly SigningKeyInput[], options: TokenAppOptions = {}) {
  return tokenApp(t, { ...options, token: { privateKeys }, after: jwksRoutes })
}

async function originOf(app: FastifyInstance): Promise<string> {
  return app.listen({ host: '127.0.0.1', port: 0 })
}

/** Another service, on another library, that knows the address of the key set and nothing else of us. */
function service(origin: string) {
  const fetched: string[] = []
  const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', origin), {
    cooldownDuration: 0,
    [customFetch]: (url, init) => {
      fetched.push(url)
      return fetch(url, init)
    },
  })
  const verify = (token: string, algorithms: readonly Algorithm[], options: JWTVerifyOptions = {}) =>
    jwtVerify(token, keys, {
      issuer: 'fastify-identity',
      audience: 'fastify-identity',
      typ: 'at+jwt',
      algorithms: [...algorithms],
      requiredClaims: ['sub', 'sid', 'jti', 'iat', 'exp'],
      currentDate: new Date(START),
      ...options,
    })
  return { verify, fetched }
}

for (const algorithm of ALGORITHMS) {
  t.test(
    `a service verifies tokens under ${algorithm} from the key set, before and after a rotation`,
    async (t) => {
      const store = createMemoryStore()
      const [old, next] = [keyPair(algorithm), keyPair(algorithm)]
      const before = await appWith(t, [old.privatePem], { store })
      const first = await before.login()
      const known = service(await originOf(before.app))
      const { payload, protectedHeader } = await known.verify(first.token, [algorithm])
      t.match(payload, { sub: ALICE.id, iss: 'fastify-identity', aud: 'fastify-identity' })
      t.equal(protectedHeader.alg, algorithm)

      const after = await appWith(t, [next.privatePem, old.publicPem], { store })
      const second = (await after.refresh(first.refreshToken)).json()
      const later = service(await originOf(after.app))
      for (const { token } of [first, second]) {
        t.equal((await later.verify(token, [algorithm])).payload.sub, ALICE.id)
        t.equal((await after.me(token)).statusCode, 200)
      }
      t.not(parts(first.token).header.kid, parts(second.token).header.kid)
      t.equal(later.fetched.length, 1, 'one set has both keys')
    },
  )
}

t.test(
  'the service refuses what is altered, of another service, past its time, or under no published key',
  async (t) => {
    const app = await appWith(t, [keyPair('ES256').privateKey])
    const foreign = await appWith(t, [keyPair('ES256').privateKey])
    const { verify } = service(await originOf(app.app))
    const { token } = await app.login()
    const [header, , signature] = token.split('.')
    const other = Buffer.from(JSON.stringify({ ...parts(token).payload, role: 'root' })).toString('base64url')
    const algorithms: readonly Algorithm[] = ['ES256']
    await t.rejects(verify(`${header}.${other}.${signature}`, algorithms), {
      code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
    })
    await t.rejects(verify((await foreign.login()).token, algorithms), { code: 'ERR_JWKS_NO_MATCHING_KEY' })
    await t.rejects(verify(token, algorithms, { audience: 'somebody-else' }), {
      code: 'ERR_JWT_CLAIM_VALIDATION_FAILED',
    })
    await t.rejects(verify(token, algorithms, { currentDate: new Date(START + 900_000) }), {
      code: 'ERR_JWT_EXPIRED',
    })
    await t.rejects(verify(token, ['EdDSA']), { code: 'ERR_JOSE_ALG_NOT_ALLOWED' })
    const shared = await appWith(t)
    await t.rejects(verify((await shared.login()).token, ['ES256']), { code: 'ERR_JOSE_ALG_NOT_ALLOWED' })
  },
)

t.test('every kind of key verifies beside the others, and the first signs', async (t) => {
  const store = createMemoryStore()
  const pairs = ALGORITHMS.map(keyPair)
  const tokens = []
  for (const first of pairs) {
    const others = pairs.filter((pair) => pair !== first).map(({ publicKey }) => publicKey)
    const { login } = await appWith(t, [first.privateKey, ...others], { store })
    const { token } = await login()
    t.equal(parts(token).header.alg, first.algorithm)
    tokens.push(token)
  }
  const [first, ...others] = pairs
  const { me, app } = await appWith(
    t,
    [first?.privateKey ?? '', ...others.map(({ publicPem }) => publicPem)],
    { store },
  )
  const { verify } = service(await originOf(app))
  for (const token of tokens) {
    t.equal((await me(token)).statusCode, 200)
    t.equal((await verify(token, ALGORITHMS)).payload.sub, ALICE.id)
  }
})

t.test('a key that was removed, or was never there, verifies nothing', async (t) => {
  const store = createMemoryStore()
  const [old, next] = [keyPair('EdDSA'), keyPair('EdDSA')]
  const before = await appWith(t, [old.privateKey], { store })
  const { token } = await before.login()
  const after = await appWith(t, [next.privateKey], { store })
  const calls = after.calls.length
  t.match((await after.me(token)).json(), { code: 'TOKEN_INVALID' })
  t.equal((await after.me(token)).statusCode, 401)
  t.equal(after.calls.length, calls, 'the store was not asked')
  t.equal((await before.me(token)).statusCode, 200, 'where it is there, the token is good')
})

t.test(
  'a change to an asymmetric key refuses nothing that is out, in a rolling restart and back again',
  async (t) => {
    const store = createMemoryStore()
    const { privateKey } = keyPair('EdDSA')
    const secrets = [SECRET, OLD_SECRET]
    const [both, signs] = [
      ['shared', privateKey],
      [privateKey, 'shared'],
    ]
    const stages = [undefined, both, signs, [privateKey], signs, both, undefined]
    const apps: Awaited<ReturnType<typeof appWith>>[] = []
    for (const keys of stages) apps.push(await appWith(t, keys, { store, secrets }))
    const algorithms = ['HS256', 'HS256', 'EdDSA', 'EdDSA', 'EdDSA', 'HS256', 'HS256']
    for (const [index, app] of apps.entries()) {
      const pair = await app.login()
      t.equal(parts(pair.token).header.alg, algorithms[index], `stage ${index} signs`)
      // In a rolling restart two stages that follow each other serve at once.
      for (const neighbour of [index - 1, index, index + 1].flatMap((near) => apps[near] ?? [])) {
        t.equal((await neighbour.me(pair.token)).statusCode, 200)
      }
      const next = apps[index + 1] ?? app
      t.equal((await next.refresh(pair.refreshToken)).statusCode, 200, 'and its refresh token goes on')
    }
  },
)

t.test('with asymmetric keys a shared secret makes tokens under its own id and algorithm only', async (t) => {
  const pair = keyPair('RS256')
  const { me, login, calls } = await appWith(t, [pair.privatePem, 'shared'])
  const { header, payload } = parts((await login()).token)
  const { id, key } = keyOf(SECRET)
  t.equal((await me(forge({ alg: 'HS256', typ: 'at+jwt', kid: id }, payload, key))).statusCode, 200)
  const text = Buffer.from(JSON.stringify(payload)).toString('base64url')
  const mac = (head: object, secret: string) => {
    const input = `${Buffer.from(JSON.stringify(head)).toString('base64url')}.${text}`
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
  }
  const hostile = {
    'the secret under the id of the RSA key': forge({ ...header, alg: 'HS256' }, payload, key),
    'the secret as RS256': forge(header, payload, key),
    'the public PEM as the secret': mac({ ...header, alg: 'HS256' }, pair.publicPem),
    'the public PEM as the secret, without its end': mac({ ...header, alg: 'HS256' }, pair.publicPem.trim()),
    'the public PEM as RS256': mac(header, pair.publicPem),
    none: mac({ ...header, alg: 'none' }, pair.publicPem),
    'a key of the sender': mac({ ...header, jwk: pair.publicKey.export({ format: 'jwk' }) }, pair.publicPem),
  }
  const before = calls.length
  for (const [what, token] of Object.entries(hostile)) {
    const response = await me(token)
    t.equal(response.statusCode, 401, what)
    t.equal(response.json().code, 'TOKEN_INVALID', what)
  }
  t.equal(calls.length, before, 'and none reaches the store')
})

t.test('with asymmetric keys alone, a token under the secrets is refused', async (t) => {
  const { me, login, calls } = await appWith(t, [keyPair('EdDSA').privateKey])
  const { payload } = parts((await login()).token)
  const { id, key } = keyOf(SECRET)
  const before = calls.length
  const response = await me(forge({ alg: 'HS256', typ: 'at+jwt', kid: id }, payload, key))
  t.equal(response.statusCode, 401)
  t.equal(response.json().code, 'TOKEN_INVALID')
  t.equal(calls.length, before, 'and it does not reach the store')
})

t.test('a library user gets the key set, and cannot change ours', async (t) => {
  const { app } = await appWith(t, [keyPair('ES256').privateKey, keyPair('EdDSA').publicKey])
  const set = app.tokenKeys.jwks()
  t.match(
    set.keys.map(({ kty, crv, alg, use }) => [kty, crv, alg, use]),
    [
      ['EC', 'P-256', 'ES256', 'sig'],
      ['OKP', 'Ed25519', 'EdDSA', 'sig'],
    ],
  )
  set.keys.pop()
  t.equal(app.tokenKeys.jwks().keys.length, 2)
  t.strictSame((await appWith(t)).app.tokenKeys.jwks(), { keys: [] })
})

t.test('a key that cannot sign tokens, or a list that says nothing, refuses to boot', async (t) => {
  const { publicPem, privatePem }: KeyPair = keyPair('EdDSA')
  for (const privateKeys of [
    [],
    ['shared'],
    [publicPem],
    [privatePem, privatePem],
    ['no key'],
    [privatePem, 'shared', publicPem],
  ]) {
    await t.rejects(appWith(t, privateKeys), { code: 'OPTION_INVALID', message: /privateKeys/ })
  }
})
