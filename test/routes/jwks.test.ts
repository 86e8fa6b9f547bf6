import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import userCenter, { serverOptions } from '../../app.js'
import { parts } from '../helpers/forge.js'
import { refusedByCenter, signIn, userInfo } from '../helpers/http.js'
import { ALGORITHMS, keyPair } from '../helpers/signing-key.js'
import { makeDataDir, startUserCenter, testClock } from '../helpers/user-center.js'

const PATH = '/.well-known/jwks.json'
const SECRETS = { AUTH_SECRETS: 'a-secret-that-is-long-enough-for-tests' }

t.test('GET /.well-known/jwks.json publishes the public halves, and may be cached', async (t) => {
  const pairs = ALGORITHMS.map(keyPair)
  const { app } = await startUserCenter(t, {
    TOKEN_PRIVATE_KEY: pairs.map(({ privatePem }) => privatePem).join(''),
  })
  const response = await app.inject(PATH)
  t.equal(response.statusCode, 200)
  t.match(response.headers['content-type'], /^application\/jwk-set\+json/)
  t.equal(response.headers['cache-control'], 'public, max-age=300')
  t.notOk(response.headers['set-cookie'])
  const { keys } = response.json()
  t.strictSame(
    keys.map(({ alg }: { alg: string }) => alg),
    ALGORITHMS,
  )
  for (const [index, pair] of pairs.entries()) {
    const { use, alg, kid, ...members } = keys[index]
    t.strictSame(members, { ...pair.publicKey.export({ format: 'jwk' }) }, 'the public members and no other')
    t.equal(use, 'sig')
    t.equal(kid.length, 43)
  }
  const { credential } = await signIn(app, 'token')
  t.match(parts(credential.authorization?.slice(7) ?? '').header, { alg: 'EdDSA', kid: keys[0].kid })
  t.match((await userInfo(app, credential)).json(), { code: 200, auth_type: 'token' })
})

t.test('without asymmetric keys the set is empty', async (t) => {
  const { app } = await startUserCenter(t, SECRETS)
  const response = await app.inject(PATH)
  t.equal(response.statusCode, 200)
  t.strictSame(response.json(), { keys: [] })
  refusedByCenter(t, await app.inject({ method: 'POST', url: PATH, payload: {} }), 404, 'NOT_FOUND')
})

t.test('with shared, tokens of before the change to an asymmetric key are good after it', async (t) => {
  const DATA_DIR = makeDataDir(t)
  const clock = testClock()
  const before = await startUserCenter(t, { ...SECRETS, DATA_DIR }, clock)
  const { credential } = await signIn(before.app, 'token')
  await before.app.close()
  const { app } = await startUserCenter(
    t,
    { ...SECRETS, DATA_DIR, TOKEN_PRIVATE_KEY: `${keyPair('ES256').privatePem}\nshared` },
    clock,
  )
  t.equal((await userInfo(app, credential)).statusCode, 200)
})

t.test('a key file that everybody may read is warned about, and used', async (t) => {
  const DATA_DIR = makeDataDir(t)
  const file = join(DATA_DIR, 'key.pem')
  const { privatePem } = keyPair('EdDSA')
  writeFileSync(file, privatePem, { mode: 0o644 })
  const lines: string[] = []
  const app = Fastify({
    ...serverOptions({}),
    logger: { stream: { write: (line: string) => void lines.push(line) } },
  })
  t.teardown(() => app.close())
  await app.register(fp(userCenter), {
    env: { ...SECRETS, DATA_DIR, TOKEN_PRIVATE_KEY: file },
    clock: testClock(),
  })
  await app.ready()
  const warnings = lines.filter((line) => line.includes('TOKEN_PRIVATE_KEY'))
  t.match(
    warnings.map((line) => JSON.parse(line)),
    [{ level: 40, file }],
  )
  t.notOk(lines.join('').includes(privatePem.split('\n')[1] ?? '?'))
  t.equal((await app.inject(PATH)).json().keys.length, 1)
})
