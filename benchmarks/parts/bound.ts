import { createHash, type createPublicKey, generateKeyPairSync, randomUUID, sign, verify } from 'node:crypto'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import fastifyIdentity from 'fastify-identity'
import { BINDABLE, boundCookies } from '../lib/bound-cookies.js'
import { SECRET } from '../lib/environment.js'
import { type Candidate, type Cost, measureInProcess } from '../lib/in-process.js'
import type { Part } from '../lib/part.js'
import { accountOf, accounts, userInfo, userInfoSchema, usernameOf } from '../lib/profile.js'
import { goal } from '../lib/report.js'

/** In µs. */
const DPOP_LIMIT = 20
const DEVICE_LIMIT = 0.6

const text = `
CPU for one request in µs, without a socket. Each request with a bound token (DPoP) has its own proof, signed with ES256. The second row
is a bare route that only checks that signature. The suite does the rest: it reads the proof, compares it with the request, and remembers
it. The store is not asked.

A request of a browser's bound sign-in has its proof in a second cookie. The suite has verified it before, and only compares it with the
text that it remembers beside the credential.
`.trim()

const ORIGIN = 'https://example.com'
const TARGET = '/user_info'

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')

/** A client's key, and its proofs. */
function makeClient() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = publicKey.export({ format: 'jwk' })
  const head = encode({ typ: 'dpop+jwt', alg: 'ES256', jwk })
  const prove = (htm: string, path: string, nonce?: string, token?: string) => {
    const ath = token && createHash('sha256').update(token).digest('base64url')
    const payload = { jti: randomUUID(), htm, htu: ORIGIN + path, iat: 0, nonce, ath }
    const signed = `${head}.${encode(payload)}`
    const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' })
    return `${signed}.${signature.toString('base64url')}`
  }
  return { publicKey, prove }
}

async function suiteApp(hasDpop: boolean): Promise<FastifyInstance> {
  // The time stands still: a nonce lasts as long as the measurement.
  const now = Date.now()
  const app = Fastify()
  await app.register(fastifyIdentity, {
    secrets: [SECRET],
    state: { memory: true },
    accounts,
    clock: () => now,
    ...(hasDpop && { token: { dpop: { origins: [ORIGIN], memory: 10_000_000 } } }),
  })
  app.post('/sign_in', (request) => request.signIn('token', accountOf(usernameOf(0))))
  app.get(TARGET, { schema: userInfoSchema, preHandler: app.guard() }, (request) =>
    userInfo(request.identity.username, request.identity.mode),
  )
  await app.ready()
  return app
}

/** The bare route; with a key, it checks the signature of the request's proof. */
async function bareApp(key?: ReturnType<typeof createPublicKey>): Promise<FastifyInstance> {
  const app = Fastify()
  const checkSignature = ({ headers: { dpop } }: FastifyRequest) => {
    const proof = String(dpop)
    const end = proof.lastIndexOf('.')
    const signature = Buffer.from(proof.slice(end + 1), 'base64url')
    return (
      key && verify('sha256', Buffer.from(proof.slice(0, end)), { key, dsaEncoding: 'ieee-p1363' }, signature)
    )
  }
  app.get(TARGET, { schema: userInfoSchema }, (request) => {
    if (key && !checkSignature(request)) throw new Error('the signature is not good')
    return userInfo(usernameOf(0), 'token')
  })
  await app.ready()
  return app
}

async function candidates(): Promise<Candidate[]> {
  const client = makeClient()
  const [app, plain] = [await suiteApp(true), await suiteApp(false)]
  const login = (nonce?: string) =>
    app.inject({
      method: 'POST',
      url: '/sign_in',
      headers: { dpop: client.prove('POST', '/sign_in', nonce) },
    })
  const nonce = String((await login()).headers['dpop-nonce'])
  const { token } = (await login(nonce)).json()
  const fresh = () => ({ authorization: `DPoP ${token}`, dpop: client.prove('GET', TARGET, nonce, token) })
  const unbound = async (from: FastifyInstance) => {
    const issued = (await from.inject({ method: 'POST', url: '/sign_in' })).json()
    return [{ authorization: `Bearer ${issued.token}` }]
  }
  return [
    { name: 'bare', app: await bareApp(), headers: [], fresh },
    { name: 'bare, and the signature check', app: await bareApp(client.publicKey), headers: [], fresh },
    { name: 'fastify-identity, a bound token', app, headers: [], fresh },
    { name: 'fastify-identity, an unbound token', app, headers: await unbound(app) },
    { name: 'the same without the option', app: plain, headers: await unbound(plain) },
  ]
}

function tableOf(measured: readonly Candidate[], costs: readonly Cost[]) {
  const rows = measured.map(({ name }, index) => [
    name,
    ...[costs[index]?.p10, costs[index]?.median].map((value) => (value ?? Number.NaN).toFixed(2)),
  ])
  return { columns: ['candidate', 'p10', 'median'], rows }
}

/** Measures candidates and closes their applications. */
async function measure(measured: readonly Candidate[], rounds: number) {
  const costs = await measureInProcess(measured, rounds)
  await Promise.all([...new Set(measured.map(({ app }) => app))].map((app) => app.close()))
  const added = (index: number) => (costs[index]?.p10 ?? Number.NaN) - (costs[index - 1]?.p10 ?? Number.NaN)
  return { table: tableOf(measured, costs), added }
}

export const bound: Part = {
  name: 'bound',
  async run(setting) {
    const rounds = setting.quick ? 100 : 1000
    const tokens = await measure(await candidates(), rounds)
    const cookies = await measure(await boundCookies(), rounds)
    const goals = [
      goal('a bound token: µs over bare and its signature check, p10', '≤', DPOP_LIMIT, tokens.added(2)),
      ...BINDABLE.map((mode, index) =>
        goal(`${mode}, bound: µs over not bound, p10`, '≤', DEVICE_LIMIT, cookies.added(2 * index + 1)),
      ),
    ]
    return [{ title: 'Bound sign-ins', text, tables: [tokens.table, cookies.table], goals }]
  },
}
