import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'

/** alice, an admin, and bob, a user, whose password is `correct horse`. */
export const PEOPLE = `
const people = [
  { id: '1', username: 'alice', role: 'admin' },
  { id: '2', username: 'bob', role: 'user' },
]
const accounts = {
  verify: async (name: string, password: string) =>
    (password === 'correct horse' && people.find(({ username }) => username === name)) || null,
  find: async (wanted: string) => people.find(({ id }) => id === wanted) ?? null,
}
`

/** What an application has that is about to register the suite. */
export const ACCOUNTS = `
import fastifyIdentity, { type Credentials, type ModeName, type StoresOptions } from 'fastify-identity'
import Fastify, { type FastifyRequest } from 'fastify'
${PEOPLE}
const secrets = ['a secret for tests, at least 32 bytes long']
const state: StoresOptions = { memory: true }
export const clock = { now: Date.now() }
`

/** What of it makes a login that a check can use: see \`enter\`. */
export const LOGIN = `
app.post<{ Params: { name: string; mode: ModeName } }>('/as/:name/:mode', async (request) => {
  const account = people.find(({ username }) => username === request.params.name)
  if (account) return { issued: await request.signIn(request.params.mode, account) }
})
`

/** An application that has the suite, and somebody who can sign in. */
export const SUITE = `${ACCOUNTS}
const handler = async (request: FastifyRequest) => request.identity
export const app = Fastify()
await app.register(fastifyIdentity, {
  secrets, state, accounts, secure: false, throttle: {}, clock: () => clock.now,
})
${LOGIN}`

/** The clock that the setups above export. */
export function advance({ clock }: Readonly<Record<string, unknown>>, seconds: number): void {
  ;(clock as { now: number }).now += seconds * 1000
}

export type Headers = Record<string, string>

/** The `Cookie` header that a browser sends after this answer. */
export function cookiesOf({ cookies }: LightMyRequestResponse): Headers {
  return { cookie: cookies.map(({ name, value }) => `${name}=${value}`).join('; ') }
}

/** Signs in at the route of \`LOGIN\`, and returns the headers of a client that has. */
export async function enter(app: FastifyInstance, name: string, mode: string, headers: Headers = {}) {
  const answer = await app.inject({ method: 'POST', url: `/as/${name}/${mode}`, headers })
  if (answer.statusCode !== 200) throw new Error(`${mode}: ${answer.statusCode} ${answer.body}`)
  return mode === 'token' ? bearer(answer.json().issued.token) : cookiesOf(answer)
}

export const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` })

/** Asserts an answer's status, and its code where it is a refusal. */
export function answers(t: Test, answer: LightMyRequestResponse, status: number, code?: string): void {
  t.equal(answer.statusCode, status, answer.body)
  if (code !== undefined) t.equal(answer.json().code, code)
}
