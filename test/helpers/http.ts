import { connect } from 'node:net'
import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'

export const ADMIN = { username: 'admin', password: 'admin123' }
export const USER = { username: 'user1', password: 'user123' }

export type Mode = 'token' | 'session' | 'cookie'
export const MODES: readonly Mode[] = ['token', 'session', 'cookie']

/** The headers that carry a credential, as the client of a mode would send them. */
export type Credential = Record<string, string>

/** What a sign-in through the user center handed to the client. */
export interface SignedIn {
  readonly response: LightMyRequestResponse
  readonly credential: Credential
  readonly refreshToken: string
}

export async function post(app: FastifyInstance, url: string, payload: object, headers: Credential = {}) {
  return app.inject({ method: 'POST', url, payload, headers })
}

const isDevice = ({ name }: { name: string }) => /^(__Host-)?device$/.test(name)

/** The cookies of an answer that are credentials. */
export function credentialCookies({ cookies }: LightMyRequestResponse): LightMyRequestResponse['cookies'] {
  return cookies.filter((cookie) => !isDevice(cookie))
}

/** The device cookie of an answer as a Cookie header. */
export function deviceOf({ cookies }: LightMyRequestResponse): string {
  const [cookie, ...others] = cookies.filter(isDevice)
  if (!cookie || others.length > 0)
    throw new Error(`expected one device cookie, got ${others.length + (cookie ? 1 : 0)}`)
  return `${cookie.name}=${cookie.value}`
}

/** The one credential of an answer as a Cookie header. */
export function cookieOf(response: LightMyRequestResponse): string {
  const [cookie, ...others] = credentialCookies(response)
  if (!cookie || others.length > 0) throw new Error(`expected one cookie, got ${response.cookies.length}`)
  return `${cookie.name}=${cookie.value}`
}

/** Signs in, and fails loudly where that is refused. */
export async function signIn(
  app: FastifyInstance,
  mode: Mode,
  who: object = USER,
  headers: Credential = {},
): Promise<SignedIn> {
  const response = await post(app, `/login_${mode}`, who, headers)
  if (response.statusCode !== 200)
    throw new Error(`sign-in by ${mode}: ${response.statusCode} ${response.body}`)
  if (mode !== 'token') return { response, credential: { cookie: cookieOf(response) }, refreshToken: '' }
  const { token, refresh_token } = response.json().data
  return { response, credential: { authorization: `Bearer ${token}` }, refreshToken: refresh_token }
}

export async function userInfo(app: FastifyInstance, headers: Credential = {}) {
  return app.inject({ method: 'GET', url: '/user_info', headers })
}

/** Asserts a refusal of the user center: status, code, and the form of its answers. */
export function refusedByCenter(
  t: Test,
  response: LightMyRequestResponse,
  status: number,
  error: string,
  name = error,
): void {
  const body = response.json()
  t.equal(response.statusCode, status, `${name}: status`)
  t.equal(body.error, error, `${name}: code`)
  t.equal(body.code, status, `${name}: code equals the status`)
  t.type(body.msg, 'string', `${name}: a message for people`)
  t.notOk('data' in body, `${name}: no data`)
}

/** Listens on a free port of loopback. */
export async function listen(app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  const address = app.server.address()
  if (address === null || typeof address === 'string') throw new Error('the app listens on no port')
  return address.port
}

/** Sends bytes as they are and reads until the server closes: what the parser makes of them is the point. */
export function sendRaw(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request))
    let answer = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(answer))
  })
}
