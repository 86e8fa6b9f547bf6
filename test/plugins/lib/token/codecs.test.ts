import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { AccessTokens } from '../../../../plugins/lib/token/access-token.js'
import { createTokenCodecs, type TokenKey, type TokenKeys } from '../../../../plugins/lib/token/codecs.js'
import { parts } from '../../../helpers/forge.js'
import { ALICE, START } from '../../../helpers/token-app.js'
import { signInRecord } from '../../../store-contract.js'

const RULES = { issuer: 'i', audience: 'a', accessTtl: 900, clockTolerance: 5 }
const ACCOUNT = { ...ALICE, epoch: 0 }
const RECORD = { ...signInRecord(), createdAt: START, absoluteExpiresAt: START + 3_600_000 }

async function tokens(t: Test, keys: TokenKeys): Promise<AccessTokens> {
  const app = Fastify()
  t.teardown(() => app.close())
  return new AccessTokens(await createTokenCodecs(app, keys), RULES)
}

const pem = (key: KeyObject) =>
  Buffer.from(key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }))

function pair(algorithm: 'EdDSA' | 'ES256' | 'RS256') {
  const { privateKey } =
    algorithm === 'EdDSA'
      ? generateKeyPairSync('ed25519')
      : algorithm === 'ES256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('rsa', { modulusLength: 2048 })
  const publicKey = createPublicKey(privateKey)
  const secret = { private: pem(privateKey), public: pem(publicKey) }
  const key: TokenKey = { id: `key-${algorithm}`, algorithm, secret }
  return { key, privateKey, publicHalf: { ...key, secret: { public: secret.public } } satisfies TokenKey }
}

function respell(part: string): string[] {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const bytes = Buffer.from(part, 'base64url')
  return [...alphabet]
    .map((character) => part.slice(0, -1) + character)
    .filter((other) => other !== part && Buffer.from(other, 'base64url').equals(bytes))
}

for (const algorithm of ['EdDSA', 'ES256', 'RS256'] as const) {
  t.test(`a key for ${algorithm} signs tokens of the same form, in one spelling only`, async (t) => {
    const { key } = pair(algorithm)
    const access = await tokens(t, [key])
    const { token } = access.issue(RECORD, ACCOUNT, {}, START)
    t.strictSame(parts(token).header, { alg: algorithm, typ: 'at+jwt', kid: key.id })
    t.match(access.open(token, START), { sub: ALICE.id, iss: 'i', aud: 'a' })
    const cut = token.lastIndexOf('.') + 1
    const spellings = respell(token.slice(cut))
    t.ok(spellings.length > 0)
    for (const other of spellings) t.equal(access.open(token.slice(0, cut) + other, START), null)
  })
}

t.test('a public half alone verifies, and cannot sign', async (t) => {
  const { key, publicHalf } = pair('ES256')
  const { token } = (await tokens(t, [key])).issue(RECORD, ACCOUNT, {}, START)
  const other = pair('EdDSA').key
  t.match((await tokens(t, [other, publicHalf])).open(token, START), { sub: ALICE.id })
  const verifier = await tokens(t, [publicHalf])
  t.throws(() => verifier.issue(RECORD, ACCOUNT, {}, START))
})

t.test('each key verifies by its own algorithm and id, and by no other', async (t) => {
  const keys = [pair('ES256'), pair('EdDSA'), pair('RS256')] as const
  const secret: TokenKey = { id: 'shared', algorithm: 'HS256', secret: Buffer.alloc(32, 7) }
  const access = await tokens(t, [secret, ...keys.map(({ publicHalf }) => publicHalf)])
  const payload = access.issue(RECORD, ACCOUNT, {}, START).token.split('.')[1]
  const encode = (header: object) => Buffer.from(JSON.stringify(header)).toString('base64url')
  const ids = ['shared', ...keys.map(({ key }) => key.id)]
  for (const { key, privateKey } of keys) {
    for (const kid of ids) {
      const input = `${encode({ alg: key.algorithm, typ: 'at+jwt', kid })}.${payload}`
      const hash = key.algorithm === 'EdDSA' ? null : 'sha256'
      const signature = sign(hash, Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
      const opened = access.open(`${input}.${signature.toString('base64url')}`, START)
      if (kid === key.id) t.match(opened, { sub: ALICE.id }, kid)
      else t.equal(opened, null, `${key.algorithm} under ${kid}`)
    }
  }
})

t.test('a public key is never taken for the secret of an HMAC', async (t) => {
  const { createHmac } = await import('node:crypto')
  const { key, publicHalf } = pair('RS256')
  const access = await tokens(t, [key])
  const { token } = access.issue(RECORD, ACCOUNT, {}, START)
  for (const alg of ['HS256', 'RS256']) {
    const header = Buffer.from(JSON.stringify({ alg, typ: 'at+jwt', kid: key.id })).toString('base64url')
    const input = `${header}.${token.split('.')[1]}`
    const mac = createHmac('sha256', publicHalf.secret.public).update(input).digest('base64url')
    t.equal(access.open(`${input}.${mac}`, START), null, alg)
  }
})
