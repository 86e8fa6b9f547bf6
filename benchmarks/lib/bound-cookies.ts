import { generateKeyPairSync, sign } from 'node:crypto'
import Fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import fastifyIdentity from 'fastify-identity'
import { SECRET } from './environment.js'
import type { Candidate } from './in-process.js'
import { accountOf, accounts, userInfo, userInfoSchema, usernameOf } from './profile.js'

/** The modes whose sign-ins a browser can bind. */
export const BINDABLE = ['cookie', 'session'] as const
type Bindable = (typeof BINDABLE)[number]

async function suiteApp(): Promise<FastifyInstance> {
  // The time stands still: a proof lasts as long as the measurement.
  const now = Date.now()
  const app = Fastify()
  const deviceBinding = { mode: 'on', path: '/device' } as const
  const state = { memory: true } as const
  await app.register(fastifyIdentity, { secrets: [SECRET], state, accounts, clock: () => now, deviceBinding })
  for (const mode of BINDABLE)
    app.post(`/${mode}`, async (request) => request.signIn(mode, accountOf(usernameOf(0))))
  app.get('/user_info', { schema: userInfoSchema, preHandler: app.guard() }, (request) =>
    userInfo(request.identity.username, request.identity.mode),
  )
  await app.ready()
  return app
}

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')

/** The registration that a browser would send after this answer. */
function registrationFor(answer: LightMyRequestResponse): string {
  const offer = String(answer.headers['secure-session-registration'])
  const [, jti, authorization] = /challenge="([^"]*)";authorization="([^"]*)"/.exec(offer) ?? []
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const head = { typ: 'dbsc+jwt', alg: 'ES256', jwk: publicKey.export({ format: 'jwk' }) }
  const signed = `${encode(head)}.${encode({ jti, authorization })}`
  const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

/** The Cookie header of a browser after these answers. */
function jarOf(...answers: LightMyRequestResponse[]): string {
  const jar = new Map(answers.flatMap(({ cookies }) => cookies.map(({ name, value }) => [name, value])))
  return [...jar].flatMap(([name, value]) => (value === '' ? [] : `${name}=${value}`)).join('; ')
}

async function bind(app: FastifyInstance, mode: Bindable): Promise<string> {
  const signedIn = await app.inject({ method: 'POST', url: `/${mode}` })
  const headers = { cookie: jarOf(signedIn), 'secure-session-response': registrationFor(signedIn) }
  const registered = await app.inject({ method: 'POST', url: '/device/register', headers })
  if (registered.statusCode !== 200) throw new Error(`the registration was answered ${registered.statusCode}`)
  return jarOf(signedIn, registered)
}

/** For each mode: a bound sign-in, and one that is not bound, in the same application. */
export async function boundCookies(): Promise<Candidate[]> {
  const app = await suiteApp()
  const all = BINDABLE.map(async (mode): Promise<Candidate[]> => {
    const open = jarOf(await app.inject({ method: 'POST', url: `/${mode}` }))
    const cookie = await bind(app, mode)
    return [
      { name: `${mode}, not bound`, app, headers: [{ cookie: open }] },
      { name: `${mode}, bound`, app, headers: [{ cookie }] },
    ]
  })
  return (await Promise.all(all)).flat()
}
