import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import csrf from '../../plugins/csrf.js'
import identity, { type IdentityOptions } from '../../plugins/identity.js'
import type { Account, Claims, Profile } from '../../plugins/lib/contract.js'
import type { StateStore } from '../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import signIns from '../../plugins/sign-ins.js'
import tokenAuth, { type TokenAuthOptions, type TokenPair } from '../../plugins/token-auth.js'
import { START } from './clock.js'

export { START }

export const SECRET = 'a-secret-that-is-long-enough-for-tests'
export const OLD_SECRET = 'an-older-secret-that-is-long-enough-too'
export const ALICE: Account = { id: 'a-1', username: 'alice', role: 'admin', epoch: 0 }

export interface TokenAppOptions {
  readonly store?: StateStore
  readonly clock?: { now: number }
  readonly secrets?: readonly string[]
  readonly token?: TokenAuthOptions
  readonly identity?: Partial<IdentityOptions>
  /** The accounts that a refresh finds. */
  readonly accounts?: Map<string, Profile>
  /** Gets the application's log, line by line. */
  readonly log?: string[]
  readonly before?: (app: FastifyInstance) => Promise<void>
  readonly after?: (app: FastifyInstance) => Promise<void>
}

type Test = { teardown(fn: () => unknown): void }

function recordingStore(store: StateStore, calls: string[]): StateStore {
  return new Proxy(store, {
    get(target, name) {
      // Without a revision, each use of a credential asks `isLive`. A test may assign one to the store.
      if (name === 'revision' && !Object.hasOwn(target, name)) return undefined
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        calls.push(String(name))
        return Reflect.apply(value, target, args)
      }
    },
  })
}

/** A small application on the token mode alone. `calls` names each call of the store. */
export async function tokenApp(t: Test, options: TokenAppOptions = {}) {
  const { clock = { now: START }, accounts = new Map<string, Profile>([[ALICE.id, ALICE]]) } = options
  const calls: string[] = []
  const store = recordingStore(options.store ?? createMemoryStore(), calls)
  const now = () => clock.now
  const { log } = options
  const logger = log ? { stream: { write: (line: string) => void log.push(line) } } : false
  const app: FastifyInstance = Fastify({ forceCloseConnections: true, pluginTimeout: 0, logger })
  t.teardown(() => app.close())
  await options.before?.(app)
  await app.register(
    fp(async (instance) => void instance.decorate('stateStore', store), { name: 'fastify-identity-stores' }),
  )
  await app.register(csrf)
  await app.register(identity, { secrets: options.secrets ?? [SECRET], clock: now, ...options.identity })
  await app.register(signIns, { clock: now })
  const source = { find: async (id: string) => accounts.get(id) ?? null }
  await app.register(tokenAuth, { accounts: source, ...options.token })
  await options.after?.(app)
  addRoutes(app)
  await app.ready()
  return { app, store, calls, clock, accounts, ...callers(app) }
}

function addRoutes(app: FastifyInstance): void {
  app.post<{ Body: { account: Account; claims?: Claims } }>('/login', (request) =>
    request.signIn('token', request.body.account, { remember: true, claims: request.body.claims }),
  )
  app.get('/me', { preHandler: app.guard() }, async (request) => request.identity)
  app.post('/logout', async (request) => ({ ended: await request.signOut('token') }))
  app.post<{ Body: { token: string } }>('/refresh', (request) =>
    app.refreshTokens.refresh(request, request.body.token),
  )
  app.post<{ Body: { token: string } }>('/revoke', async (request) => ({
    ended: await app.refreshTokens.signOut(request.body.token),
  }))
}

function callers(app: FastifyInstance) {
  const post = (url: string, payload: object, headers = {}) =>
    app.inject({ method: 'POST', url, payload, headers })
  return {
    post,
    async login(account: Account = ALICE, claims?: Claims): Promise<TokenPair> {
      return (await post('/login', { account, claims })).json()
    },
    /** `GET /me` with that token. */
    me: (token: string) => app.inject({ url: '/me', headers: { authorization: `Bearer ${token}` } }),
    refresh: (token: string) => post('/refresh', { token }),
    logout: (token: string) => post('/logout', {}, { authorization: `Bearer ${token}` }),
  }
}
