import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import type { AuditEvent } from '../../plugins/audit.js'
import { ADMIN, type Credential, deviceOf, type Mode, refusedByCenter, USER } from './http.js'
import { startUserCenter } from './user-center.js'

/** All kinds of credentials that the user center hands out. */
export const KINDS = ['cookie', 'session', 'token', 'refresh', 'API key', 'device cookie'] as const
export type Kind = (typeof KINDS)[number]

export const SECRET = 'kPz3Vt9_QyX2mWc7HsB4nLd8RfJ1gTa6'
export const WRONG = { ...USER, password: 'a wrong password' }
/** Where an attacker sits. */
export const ELSEWHERE = '10.6.6.6'

/** One failure closes an account to everybody without its device cookie. */
const ENV = { COOKIE_SECURE: 'true', LOGIN_LIMIT_ACCOUNT: '1', AUTH_SECRETS: SECRET }
/** In seconds. After this long, the throttle has forgotten all failures. */
const FORGOTTEN = 10_000

const COOKIES: Partial<Record<Kind, string>> = {
  cookie: '__Host-identity',
  session: '__Host-session',
  refresh: '__Host-refresh',
  'device cookie': '__Host-device',
}
export const isCookie = (kind: Kind) => kind in COOKIES

/** The header in which a client sends a credential of this kind. */
export function headersOf(kind: Kind, text: string): Credential {
  const name = COOKIES[kind]
  return name ? { cookie: `${name}=${text}` } : { authorization: `Bearer ${text}` }
}

const DEAD = [403, 'SIGNED_OUT'] as const
const INVALID = [403, 'CREDENTIAL_INVALID'] as const
const NO_REFRESH = [401, 'REFRESH_REFUSED'] as const
const UNKNOWN_DEVICE = [429, 'THROTTLED'] as const

type Answers = Readonly<Record<Kind, readonly [status: number, error: string]>>
/** The answer to a credential that has ended. */
const ENDED: Answers = {
  ...{ cookie: DEAD, session: DEAD, token: DEAD, 'API key': DEAD },
  ...{ refresh: NO_REFRESH, 'device cookie': UNKNOWN_DEVICE },
}
/** The answer to one that is altered, invented or of another kind. */
const INVENTED: Answers = {
  ...{ cookie: INVALID, session: INVALID, token: [403, 'TOKEN_INVALID'], 'API key': INVALID },
  ...{ refresh: NO_REFRESH, 'device cookie': UNKNOWN_DEVICE },
}

/** A credential of the user. */
export interface Held {
  readonly kind: Kind
  /** The credential's own text. */
  readonly text: string
  readonly headers: Credential
  /** Of its sign-in; empty for a device cookie, which belongs to none. */
  readonly signInId: string
  /** The answer that handed it out. */
  readonly answer: LightMyRequestResponse
}

interface Use {
  readonly headers?: Credential
  readonly from?: string
}

/** The user center, and somebody with credentials of all kinds. */
export class CredentialCenter {
  readonly events: AuditEvent[] = []
  #home = ''

  constructor(
    readonly app: FastifyInstance,
    readonly clock: { advance(seconds: number): void },
    readonly dataDir: string,
  ) {
    app.audit.subscribe((event) => void this.events.push(event))
  }

  send(request: InjectOptions): Promise<LightMyRequestResponse> {
    return this.app.inject(request)
  }

  login(mode: Mode, headers: Credential = {}, payload: object = USER, from?: string) {
    const remote = from ? { remoteAddress: from } : {}
    return this.send({ method: 'POST', url: `/login_${mode}`, payload, headers, ...remote })
  }

  /** No failure is counted any more, and the user has a device that is recognised. */
  async begin(): Promise<void> {
    this.clock.advance(FORGOTTEN)
    this.#home = deviceOf(await this.login('cookie'))
    this.events.length = 0
  }

  /** Signs the user in, on a device that is recognised. */
  async enter(mode: Mode, payload: object = USER): Promise<LightMyRequestResponse> {
    const answer = await this.login(mode, { cookie: this.#home }, payload)
    if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${answer.body}`)
    return answer
  }

  /** The headers of a session of the user, as the owner of what an attacker has. */
  async owner(): Promise<Credential> {
    return (await this.obtain('session')).headers
  }

  async admin(): Promise<Credential> {
    const answer = await this.login('session', {}, ADMIN)
    return headersOf('session', cookieIn(answer, 'session'))
  }

  async obtain(kind: Kind): Promise<Held> {
    const answer = await this.#issue(kind)
    const { token, key } = answer.json().data ?? {}
    const text = String(kind === 'token' ? token : kind === 'API key' ? key : cookieIn(answer, kind))
    const headers = headersOf(kind, text)
    const own = kind === 'refresh' ? headersOf('token', String(token)) : headers
    const signInId = kind === 'device cookie' ? '' : await this.#signInOf(own)
    return { kind, text, headers, signInId, answer }
  }

  async #issue(kind: Kind): Promise<LightMyRequestResponse> {
    if (kind === 'cookie' || kind === 'session' || kind === 'token') return this.enter(kind)
    if (kind === 'refresh') return this.enter('token', { ...USER, refresh_cookie: true })
    // A device of its own. The account is open to others at the beginning.
    if (kind === 'device cookie') return this.login('cookie')
    const headers = await this.owner()
    return this.send({ method: 'POST', url: '/api_keys', headers, payload: { name: 'deploy' } })
  }

  async #signInOf(headers: Credential): Promise<string> {
    const { data } = (await this.send({ url: '/sign_ins', headers })).json()
    return data.find(({ current }: { current: boolean }) => current).id
  }

  /** Uses a credential for what it is good for: 200 if it is accepted. */
  async use(kind: Kind, text: string, { headers: more, from }: Use = {}): Promise<LightMyRequestResponse> {
    const headers = { ...headersOf(kind, text), ...more }
    const remote = from ? { remoteAddress: from } : {}
    if (kind === 'refresh') return this.send({ method: 'POST', url: '/refresh_token', headers, ...remote })
    if (kind !== 'device cookie') return this.send({ url: '/sign_ins', headers, ...remote })
    // It is good for attempts at an account whose other attempts are used up.
    await this.login('cookie', {}, WRONG, '10.9.9.9')
    return this.login('cookie', headers, USER, from)
  }

  async accepts(t: Test, { kind, text }: Pick<Held, 'kind' | 'text'>, why = 'it is accepted') {
    t.equal((await this.use(kind, text)).statusCode, 200, why)
  }

  async refusesEnded(t: Test, { kind, text }: Pick<Held, 'kind' | 'text'>) {
    refusedByCenter(t, await this.use(kind, text), ...ENDED[kind], `${kind}, ended`)
  }

  async refusesInvented(t: Test, kind: Kind, text: string, why = 'invented') {
    refusedByCenter(t, await this.use(kind, text), ...INVENTED[kind], `${kind}, ${why}`)
  }

  /** Whether the answer to an ended credential of this kind has come. */
  async isEnded({ kind, text }: Held): Promise<boolean> {
    const answer = await this.use(kind, text)
    return answer.statusCode === ENDED[kind][0] && answer.json().error === ENDED[kind][1]
  }

  /** The owner ends a sign-in in the list. */
  endBy(headers: Credential, { signInId }: Held) {
    return this.send({ method: 'DELETE', url: `/sign_ins/${signInId}`, headers })
  }

  /** A credential of one kind in the place of another. */
  async refusesAs(t: Test, kind: Kind, { kind: own, text }: Held) {
    if (kind === 'token' && own === 'API key') {
      const answer = await this.send({ url: '/user_info', headers: headersOf(kind, text) })
      t.equal(answer.json().auth_type, 'api_key', 'a key is never read as a token')
    } else {
      const presented = kind === 'API key' ? `fik_${text}` : text
      await this.refusesInvented(t, kind, presented, `a ${own} in its place`)
    }
  }
}

/** The value of the cookie of this kind. */
function cookieIn({ cookies }: LightMyRequestResponse, kind: Kind): string {
  const value = cookies.find(({ name }) => name === COOKIES[kind])?.value
  if (!value) throw new Error(`no ${kind}`)
  return value
}

/** What nobody can make without a secret: the end of a signed value, or the secret part of a key. */
export function secretPart({ kind, text }: Pick<Held, 'kind' | 'text'>): string {
  const parts = text.split(kind === 'API key' ? '_' : '.')
  return String(kind === 'API key' ? parts[2] : parts.at(-1))
}

/** A user center whose passwords of the user cost no hash. Others are verified as ever. */
export async function startCredentialCenter(
  t: Test,
  env: Record<string, string> = {},
): Promise<CredentialCenter> {
  const { app, clock, dataDir } = await startUserCenter(t, { ...ENV, ...env })
  const { accountSource } = app
  app.accountSource = {
    find: (id) => accountSource.find(id),
    async verify(username, password) {
      if (password === WRONG.password) return null
      if (username !== USER.username || password !== USER.password)
        return accountSource.verify(username, password)
      return app.accounts.findByUsername(username)
    },
  }
  return new CredentialCenter(app, clock, dataDir)
}
