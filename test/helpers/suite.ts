import Fastify, {
  type FastifyInstance,
  type FastifyServerOptions,
  type LightMyRequestResponse,
} from 'fastify'
import fp from 'fastify-plugin'
import type { Test } from 'tap'
import accounts from '../../plugins/accounts.js'
import cookieAuth, { type CookieAuthOptions } from '../../plugins/cookie-auth.js'
import csrf, { type CsrfOptions } from '../../plugins/csrf.js'
import identity, { type IdentityOptions } from '../../plugins/identity.js'
import type {
  Account,
  AccountSource,
  AuthMode,
  FactorMethod,
  GivenFactor,
  Identity,
  MaybePromise,
  ModeName,
  Resolution,
  SignInOptions,
  StepUpOptions,
} from '../../plugins/lib/contract.js'
import { StoreUnavailable } from '../../plugins/lib/errors.js'
import type { StateStore } from '../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import sessionAuth, { type SessionAuthOptions } from '../../plugins/session-auth.js'
import signIns, { type SignInsOptions } from '../../plugins/sign-ins.js'
import tokenAuth, { type TokenAuthOptions } from '../../plugins/token-auth.js'
import { START, TestClock } from './clock.js'
import { makeGate } from './session-app.js'

export const SECRET = 'a secret for tests, at least 32 bytes long'
export const NEXT_SECRET = 'another secret for tests, as long as that'

export { START, TestClock }

/** Rows as an application keeps them: with what must never travel. */
export const ALICE = {
  id: 'account-alice',
  username: 'alice',
  role: 'admin',
  password: 'the password of alice',
  password_hash: '$argon2id$the-hash-of-alice',
}
export const BOB = {
  id: 'account-bob',
  username: 'bob',
  role: 'user',
  password: 'the password of bob',
  password_hash: '$argon2id$the-hash-of-bob',
}
const ROWS = [ALICE, BOB]

/** An application's own accounts: alice, an admin, and bob, a user. */
export const accountSource: AccountSource = {
  async verify(username, password) {
    return ROWS.find((row) => row.username === username && row.password === password) ?? null
  },
  async find(id) {
    return ROWS.find((row) => row.id === id) ?? null
  },
}

export type Operation = Exclude<keyof StateStore, 'kind'>

/** A store whose operations can be made to fail, and to answer by promise as one behind a socket does. */
export interface FaultyStore {
  readonly store: StateStore
  /** These fail, with STORE_UNAVAILABLE. */
  readonly failing: Set<Operation>
  /** Every operation that was called, in order. */
  readonly calls: Operation[]
}

export function faultyStore(inner: StateStore, { promises = false } = {}): FaultyStore {
  const failing = new Set<Operation>()
  const calls: Operation[] = []
  const store = new Proxy(inner, {
    get(target, name: Operation | 'kind') {
      // Without a revision, each use of a credential asks `isLive`.
      if (name === 'revision') return undefined
      const operation: unknown = target[name]
      if (typeof operation !== 'function') return operation
      return (...args: unknown[]) => {
        calls.push(name as Operation)
        if (failing.has(name as Operation)) return Promise.reject(new StoreUnavailable())
        const result: unknown = Reflect.apply(operation, target, args)
        return promises ? Promise.resolve(result) : result
      }
    },
  })
  return { store, failing, calls }
}

/** Registers one mode. */
export type AddMode = (app: FastifyInstance) => Promise<void>

/** Operations that are held after they have read. All others are held before they write. */
const READS: ReadonlySet<string> = new Set(['findSignIn', 'readSession'])

/** A store whose operations can be held up, so that something else happens meanwhile. */
export function heldStore(inner: StateStore) {
  let next = { operation: '', left: 0, reached: makeGate(), go: makeGate() }
  const held = async (call: () => unknown) => {
    const { operation, reached, go } = next
    const read = READS.has(operation) ? await call() : undefined
    reached.open()
    await go.opened
    return READS.has(operation) ? read : call()
  }
  const store = new Proxy(inner, {
    get(target, name) {
      const operation: unknown = Reflect.get(target, name)
      if (typeof operation !== 'function') return operation
      return (...args: unknown[]) => {
        const call = () => Reflect.apply(operation, target, args)
        if (name !== next.operation || --next.left !== 0) return call()
        return held(call)
      }
    },
  })
  /** Holds up the nth call from now. */
  const hold = (operation: Operation, nth = 1) => {
    next = { operation, left: nth, reached: makeGate(), go: makeGate() }
    const { reached, go } = next
    return { reached: reached.opened, release: () => go.open() }
  }
  return { store, hold }
}

export function cookieMode(options: CookieAuthOptions = {}): AddMode {
  return async (app) => void (await app.register(cookieAuth, { secure: false, ...options }))
}

export function sessionMode(options: SessionAuthOptions = {}): AddMode {
  return async (app) => void (await app.register(sessionAuth, { secure: false, ...options }))
}

export function tokenMode(options: TokenAuthOptions = {}): AddMode {
  return async (app) => void (await app.register(tokenAuth, options))
}

/** Adds a mode that a test made by hand. */
export function handMadeMode(mode: AuthMode): AddMode {
  return async (app) => app.authModes.add(mode)
}

/** An identity as a mode makes them. */
export function identityFor(account: Account, mode: ModeName): Identity {
  const { id: accountId, username, role } = account
  return Object.freeze({
    accountId,
    username,
    role,
    mode,
    signInId: 'sign-in-1',
    authTime: START,
    claims: Object.freeze({}),
  })
}

/** A mode that answers what the test says, and can do nothing else. */
export function scriptedMode(
  name: ModeName,
  resolve: AuthMode['resolve'],
  more: Partial<AuthMode> = {},
): AuthMode {
  const cannot = () => Promise.reject(new Error('a scripted mode only resolves'))
  return { name, ambient: false, resolve, issue: cannot, signOut: cannot, clear: () => {}, ...more }
}

/** A scripted mode that is asked by a header of its name: `alice`, `bob`, or a refusal's code. */
export function headerMode(
  name: ModeName,
  { promises = false, ...more }: Partial<AuthMode> & { promises?: boolean } = {},
): AuthMode {
  const answer = (said: string | string[] | undefined): Resolution => {
    if (said === undefined) return { kind: 'absent' }
    const account = ROWS.find(({ username }) => username === said)
    if (account) return { kind: 'identity', identity: identityFor(account, name) }
    return { kind: 'refused', code: said === 'expired' ? 'TOKEN_EXPIRED' : 'CREDENTIAL_INVALID' }
  }
  const resolve = (request: { headers: Record<string, string | string[] | undefined> }) => {
    const resolution = answer(request.headers[`x-${name.toLowerCase()}`])
    return (promises ? Promise.resolve(resolution) : resolution) as MaybePromise<Resolution>
  }
  return scriptedMode(name, resolve, more)
}

export interface SuiteOptions {
  readonly modes: readonly AddMode[]
  readonly store?: StateStore
  readonly clock?: TestClock
  readonly identity?: Partial<IdentityOptions>
  readonly csrf?: CsrfOptions
  readonly signIns?: SignInsOptions
  readonly server?: FastifyServerOptions
  /** What an application registers before the suite, and after it. */
  readonly before?: (app: FastifyInstance) => unknown
  readonly routes?: (app: FastifyInstance) => unknown
}

export type Headers = Record<string, string>

export interface Suite {
  readonly app: FastifyInstance
  readonly clock: TestClock
  readonly store: StateStore
  /** `POST /sign_in/:mode`. */
  signIn(mode: string, options?: SignInOptions & SignInAs): Promise<LightMyRequestResponse>
  /** `POST /sign_out/:mode`. */
  signOut(mode: string, headers?: Headers): Promise<LightMyRequestResponse>
  /** `POST /step_up`, behind a guard that asks for nothing else. */
  stepUp(
    headers: Headers,
    factors: readonly (FactorMethod | GivenFactor)[],
    options?: StepUpOptions,
  ): Promise<LightMyRequestResponse>
  /** `GET /me`, behind a guard that asks for nothing else. */
  me(headers?: Headers): Promise<LightMyRequestResponse>
  post(url: string, headers?: Headers, payload?: object): Promise<LightMyRequestResponse>
}

export interface SignInAs {
  readonly account?: Account
  readonly headers?: Headers
}

interface SignInBody {
  readonly account: Account
  readonly options: SignInOptions
}

interface StepUpBody extends StepUpOptions {
  readonly factors: readonly (FactorMethod | GivenFactor)[]
}

function addRoutes(app: FastifyInstance): void {
  app.post<{ Params: { mode: ModeName }; Body: SignInBody }>('/sign_in/:mode', async (request) => {
    const { account, options } = request.body
    return { issued: await request.signIn(request.params.mode, account, options) }
  })
  app.post<{ Params: { mode: ModeName } }>('/sign_out/:mode', async (request) => ({
    ended: await request.signOut(request.params.mode),
  }))
  app.post<{ Body: StepUpBody }>('/step_up', { preHandler: app.guard() }, async (request) => {
    const { factors, ...options } = request.body
    return { issued: await request.stepUp(factors, options) }
  })
  app.route({
    method: ['GET', 'POST'],
    url: '/me',
    preHandler: app.guard(),
    handler: async (request) => request.identity,
  })
}

async function registerSuite(
  app: FastifyInstance,
  store: StateStore,
  clock: TestClock,
  options: SuiteOptions,
) {
  const plugin = async (instance: FastifyInstance) => void instance.decorate('stateStore', store)
  await app.register(fp(plugin, { name: 'fastify-identity-stores' }))
  await app.register(csrf, options.csrf ?? {})
  await app.register(identity, { secrets: [SECRET], clock: clock.read, ...options.identity })
  await app.register(signIns, { clock: clock.read, ...options.signIns })
  await app.register(accounts, { source: accountSource })
  for (const addMode of options.modes) await addMode(app)
}

function callers(app: FastifyInstance): Omit<Suite, 'app' | 'clock' | 'store'> {
  const post = (url: string, headers: Headers = {}, payload: object = {}) =>
    app.inject({ method: 'POST', url, headers, payload })
  return {
    post,
    signIn: (mode, { account = ALICE, headers, ...options } = {}) =>
      post(`/sign_in/${mode}`, headers, { account, options }),
    signOut: (mode, headers) => post(`/sign_out/${mode}`, headers),
    stepUp: (headers, factors, options) => post('/step_up', headers, { factors, ...options }),
    me: (headers = {}) => app.inject({ url: '/me', headers }),
  }
}

/**
 * An application on the suite, ready, with state in memory, two accounts and a clock of its own. It has
 * the routes above and those of the test. Rejects where the boot is refused.
 */
export async function buildSuite(t: Test, options: SuiteOptions): Promise<Suite> {
  const { store = createMemoryStore(), clock = new TestClock() } = options
  const app = Fastify({ forceCloseConnections: true, pluginTimeout: 0, ...options.server })
  t.teardown(() => app.close())
  await options.before?.(app)
  await registerSuite(app, store, clock, options)
  addRoutes(app)
  await options.routes?.(app)
  await app.ready()
  return { app, clock, store, ...callers(app) }
}

/** The `Cookie` header that a browser sends after this answer. */
export function cookieHeader(response: LightMyRequestResponse): Headers {
  return { cookie: response.cookies.map(({ name, value }) => `${name}=${value}`).join('; ') }
}

/** Asserts a refusal by status and code. */
export function refused(t: Test, response: LightMyRequestResponse, status: number, code: string, why = code) {
  t.equal(response.statusCode, status, `${why}: status`)
  t.equal(response.json().code, code, `${why}: code`)
}
