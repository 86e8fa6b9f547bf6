import Fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import { Secret, TOTP } from 'otpauth'
import type { Test } from 'tap'
import suite, { type ModeName, type SuiteOptions } from '../../plugins/index.js'
import type { CheckedAccount } from '../../plugins/lib/contract.js'
import type { FactorProof } from '../../plugins/lib/factors/contract.js'
import { SoftAuthenticator } from './authenticator.js'
import { SECRET, TestClock } from './suite.js'
import { makeDataDir } from './user-center.js'

export const ORIGIN = 'http://localhost:3000'
export const PASSWORD = 'correct horse battery'

export interface LoginBody {
  readonly username: string
  readonly password: string
  readonly remember?: boolean
  readonly memo?: unknown
}

function addRoutes(app: FastifyInstance): void {
  app.setErrorHandler((error: Error & { code?: string; statusCode?: number; data?: object }, _, reply) => {
    const { code = 'ERROR', statusCode = 500, data, message } = error
    return reply.code(statusCode).send({ error: code, ...(statusCode === 500 ? { message } : {}), data })
  })
  type InMode = { Params: { mode: ModeName } }
  app.post<InMode & { Body: LoginBody }>('/login/:mode', async (request) => {
    const { remember, memo, ...credentials } = request.body
    const options = { ...(remember === undefined ? {} : { remember }), memo, claims: { team: 'tea' } }
    return { issued: await app.throttle.signIn(request, request.params.mode, credentials, options) }
  })
  app.post<{ Body: { pending: string } & FactorProof }>('/finish', async (request) => {
    const { pending, ...proof } = request.body
    return app.factors.finishSignIn(request, pending, proof)
  })
  app.post<{ Body: { pending: string } }>('/challenge', (request) =>
    app.factors.challengePending(request, request.body.pending),
  )
  app.post('/passkey/options', (request) => app.factors.beginPasskeySignIn(request))
  type Answer = { pending: string; response: unknown; remember?: boolean }
  app.post<InMode & { Body: Answer }>('/passkey/:mode', (request) =>
    app.factors.passkeySignIn(request, request.params.mode, request.body),
  )
  app.post<{ Body: { id: string; code: string } }>('/totp', { preHandler: app.guard() }, async (request) => {
    const account = await accountOf(app, request.identity.username)
    return app.factors.confirmTotp(request, account, request.body.id, request.body.code)
  })
  app.post('/register/options', { preHandler: app.guard() }, async ({ identity }) =>
    app.factors.beginPasskey(await accountOf(app, identity.username), identity.signInId),
  )
  app.post<{ Body: { response: unknown } }>('/register', { preHandler: app.guard() }, async (request) => {
    const account = await accountOf(app, request.identity.username)
    const { signInId } = request.identity
    return app.factors.addPasskey(account, signInId, request.body.response, 'a passkey', request)
  })
  app.get('/me', { preHandler: app.guard() }, async ({ identity }) => identity)
}

export async function accountOf(app: FastifyInstance, username: string): Promise<CheckedAccount> {
  const account = await app.accounts.findByUsername(username)
  if (!account) throw new Error(`no account ${username}`)
  return account
}

/** A browser, or a program: it keeps cookies, and sends them. */
export class Client {
  readonly jar = new Map<string, string>()

  constructor(
    readonly app: FastifyInstance,
    readonly address = '127.0.0.1',
  ) {}

  get cookie(): string {
    return [...this.jar].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  async post(url: string, payload: object = {}): Promise<LightMyRequestResponse> {
    const headers = this.jar.size > 0 ? { cookie: this.cookie } : {}
    const remoteAddress = this.address
    const response = await this.app.inject({ method: 'POST', url, payload, headers, remoteAddress })
    for (const { name, value, maxAge } of response.cookies) {
      if (maxAge === 0) this.jar.delete(name)
      else this.jar.set(name, value)
    }
    return response
  }

  me(): Promise<LightMyRequestResponse> {
    return this.app.inject({ url: '/me', headers: { cookie: this.cookie } })
  }

  /** Gives the password. @returns the pending value */
  async pending(mode = 'cookie', body: Partial<LoginBody> = {}): Promise<string> {
    const login = { username: 'alice', password: PASSWORD, ...body }
    const response = await this.post(`/login/${mode}`, login)
    if (response.statusCode !== 401) throw new Error(`login: ${response.statusCode} ${response.body}`)
    return response.json().data.pending
  }
}

/** An application with second factors, over the suite's accounts. */
export async function factorApp(t: Test, more: Partial<SuiteOptions> = {}, clock = new TestClock()) {
  const dataDir = makeDataDir(t)
  const app = Fastify({ pluginTimeout: 0 })
  t.teardown(() => app.close())
  await app.register(suite, {
    ...{ secrets: [SECRET], state: { dataDir }, accounts: { dataDir }, secure: false, clock: clock.read },
    factors: { rpId: 'localhost', origins: [ORIGIN] },
    throttle: {},
    ...more,
  })
  addRoutes(app)
  await app.ready()
  const client = (address?: string) => new Client(app, address)
  return { app, clock, client }
}

/** Adds an account without a second factor. */
export async function addAccount(app: FastifyInstance, username = 'alice'): Promise<CheckedAccount> {
  await app.accounts.create({ username, password: PASSWORD, role: 'user' })
  return accountOf(app, username)
}

/** A client of a person who has given the password, and nothing else. */
export async function signedIn(app: FastifyInstance, username = 'alice', mode = 'cookie'): Promise<Client> {
  const client = new Client(app)
  const response = await client.post(`/login/${mode}`, { username, password: PASSWORD })
  if (response.statusCode !== 200) throw new Error(`sign-in: ${response.statusCode} ${response.body}`)
  return client
}

/** Adds an authenticator app to an account without a second factor. `code` is the next one that works. */
export async function addTotp(app: FastifyInstance, clock: TestClock, username = 'alice') {
  const client = await signedIn(app, username)
  const { id, secret } = await app.factors.beginTotp(await accountOf(app, username))
  const totp = new TOTP({ secret: Secret.fromBase32(secret), algorithm: 'SHA1', digits: 6, period: 30 })
  const now = () => totp.generate({ timestamp: clock.now })
  const added = await client.post('/totp', { id, code: now() })
  if (added.statusCode !== 200) throw new Error(`totp: ${added.statusCode} ${added.body}`)
  const code = () => {
    clock.advance(30)
    return now()
  }
  const recoveryCodes: string[] = added.json().recoveryCodes
  return { code, now, recoveryCodes, owner: client }
}

/** Adds a passkey to an account, by a sign-in of it. */
export async function addPasskey(
  client: Client,
  authenticator = new SoftAuthenticator(ORIGIN),
): Promise<SoftAuthenticator> {
  const options = (await client.post('/register/options')).json()
  const added = await client.post('/register', { response: authenticator.create(options) })
  if (added.statusCode !== 200) throw new Error(`passkey: ${added.statusCode} ${added.body}`)
  return authenticator
}
