import type { FastifyInstance } from 'fastify'
import { Secret, TOTP } from 'otpauth'
import type { Test } from 'tap'
import type { DatabaseEnv } from './databases.js'
import { type Credential, credentialCookies, type Mode, post, type SignedIn, signIn, USER } from './http.js'
import { ADDRESS, confirmAddress, startMailCenter } from './mail-center.js'
import type { CenterClock } from './user-center.js'

/** The code that an authenticator app shows at a time (ms). */
export const codeAt = (secret: string, time: number): string =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: time })

interface Center {
  readonly app: FastifyInstance
  readonly clock: Pick<CenterClock, 'advance'>
}

/** An authenticator app that is added to an account. */
export interface Enrolled {
  readonly secret: string
  readonly recoveryCodes: readonly string[]
  /** A code that was not used yet: time goes on by a step. */
  next(): string
}

/** Adds an authenticator app, over HTTP. */
export async function enrolTotp({ app, clock }: Center, credential: Credential): Promise<Enrolled> {
  const now = app.identityClock
  const begun = await post(app, '/factors/totp', {}, credential)
  if (begun.statusCode !== 200) throw new Error(begun.body)
  const { id, secret } = begun.json().data
  const body = { id, code: codeAt(secret, now()), name: 'Phone' }
  const confirmed = await post(app, '/factors/totp/confirm', body, credential)
  if (confirmed.statusCode !== 200) throw new Error(confirmed.body)
  const next = () => {
    clock.advance(30)
    return codeAt(secret, now())
  }
  return { secret, recoveryCodes: confirmed.json().data.recovery_codes, next }
}

/** A login whose password was right, and that waits for the factor. */
export interface Begun {
  readonly pending: string
  /** The headers with the half that is in a cookie. */
  readonly headers: Credential
  readonly factors: readonly string[]
}

const isPending = ({ name }: { name: string }) => /^(__Host-)?pending$/.test(name)

export async function beginLogin(
  app: FastifyInstance,
  mode: Mode,
  who: object = USER,
  headers: Credential = {},
): Promise<Begun> {
  const response = await post(app, `/login_${mode}`, who, headers)
  const { error, data } = response.json()
  if (error !== 'SECOND_FACTOR_REQUIRED') throw new Error(response.body)
  const [cookie] = response.cookies.filter(isPending)
  const half: Credential = cookie ? { cookie: `${cookie.name}=${cookie.value}` } : {}
  return { pending: data.pending, headers: half, factors: data.factors }
}

/** Signs in by the password and a factor. */
export async function signInByFactor(
  app: FastifyInstance,
  mode: Mode,
  proof: object,
  who: object = USER,
): Promise<SignedIn> {
  const { pending, headers } = await beginLogin(app, mode, who)
  const response = await post(app, '/login_factor', { pending, ...proof }, headers)
  if (response.statusCode !== 200) throw new Error(response.body)
  const data = response.json().data ?? {}
  if (mode === 'token') {
    const { token, refresh_token } = data
    return { response, credential: { authorization: `Bearer ${token}` }, refreshToken: refresh_token }
  }
  const [cookie] = credentialCookies(response).filter((each) => !isPending(each))
  return { response, credential: { cookie: `${cookie?.name}=${cookie?.value}` }, refreshToken: '' }
}

/** A user center with a mail server, where user1 has a confirmed address and an authenticator app. */
export async function startFactorCenter(t: Test, env: DatabaseEnv = {}) {
  const center = await startMailCenter(t, env)
  const { app, mailServer } = center
  await confirmAddress(center)
  const { credential } = await signIn(app, 'cookie')
  const totp = await enrolTotp(center, credential)
  await mailServer.next()
  const byTotp = (mode: Mode) => signInByFactor(app, mode, { factor: 'totp', code: totp.next() })
  return { ...center, totp, byTotp, address: ADDRESS, before: credential }
}
