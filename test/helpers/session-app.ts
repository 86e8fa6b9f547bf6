import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import fp from 'fastify-plugin'
import csrf from '../../plugins/csrf.js'
import identity, { type IdentityOptions } from '../../plugins/identity.js'
import type { Account, Claims, ModeName } from '../../plugins/lib/contract.js'
import { openDatabase } from '../../plugins/lib/database/embedded.js'
import { StoreUnavailable } from '../../plugins/lib/errors.js'
import type { StateStore } from '../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { closeRedis, firstAttempt, openRedis } from '../../plugins/lib/stores/redis/client.js'
import { RedisStore } from '../../plugins/lib/stores/redis/store.js'
import { createSqliteStore } from '../../plugins/lib/stores/sqlite/store.js'
import sessionAuth, { type SessionAuthOptions } from '../../plugins/session-auth.js'
import signIns from '../../plugins/sign-ins.js'
import { START } from './clock.js'
import { startRedis } from './redis-server.js'

declare module 'fastify' {
  interface Session {
    cart?: string[]
    [key: string]: unknown
  }
}

export { START }

export const SECRET = 'a-secret-that-is-long-enough-for-tests'
export const OTHER_SECRET = 'another-secret-that-is-long-enough-too'
export const ALICE: Account = { id: 'a-1', username: 'alice', role: 'admin', epoch: 0 }
export const BOB: Account = { id: 'b-2', username: 'bob', role: 'user', epoch: 0 }

export interface SessionAppOptions {
  readonly store?: StateStore
  readonly clock?: { now: number }
  readonly secrets?: readonly string[]
  readonly session?: SessionAuthOptions
  readonly identity?: Partial<IdentityOptions>
  /** Gets the application's log, line by line. */
  readonly log?: string[]
  readonly before?: (app: FastifyInstance) => Promise<void>
  /** More routes. */
  readonly routes?: (app: FastifyInstance) => void
}

type Test = { teardown(fn: () => unknown): void }
type Target = { store: StateStore; calls: string[]; failing: Set<string> }

/** Names each call of the store, and has those refused that `failing` names. */
function watchedStore({ store, calls, failing }: Target): StateStore {
  return new Proxy(store, {
    get(target, name) {
      // Without a revision, each use of a credential asks `isLive`.
      if (name === 'revision') return undefined
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        calls.push(String(name))
        if (failing.has(String(name))) return Promise.reject(new StoreUnavailable())
        return Reflect.apply(value, target, args)
      }
    },
  })
}

/** A small application on the session mode alone. */
export async function sessionApp(t: Test, options: SessionAppOptions = {}) {
  const { clock = { now: START }, log } = options
  const calls: string[] = []
  const failing = new Set<string>()
  const store = watchedStore({ store: options.store ?? createMemoryStore(), calls, failing })
  const now = () => clock.now
  const logger = log ? { stream: { write: (line: string) => void log.push(line) } } : false
  const app: FastifyInstance = Fastify({ forceCloseConnections: true, pluginTimeout: 0, logger })
  t.teardown(() => app.close())
  await options.before?.(app)
  const stores = fp(async (instance) => void instance.decorate('stateStore', store), {
    name: 'fastify-identity-stores',
  })
  await app.register(stores)
  await app.register(csrf)
  await app.register(identity, { secrets: options.secrets ?? [SECRET], clock: now, ...options.identity })
  await app.register(signIns, { clock: now })
  await app.register(sessionAuth, { secure: false, ...options.session })
  addRoutes(app)
  options.routes?.(app)
  await app.ready()
  return { app, store, calls, failing, clock, ...callers(app) }
}

export type SessionApp = Awaited<ReturnType<typeof sessionApp>>

interface LoginBody {
  account: Account
  remember?: boolean
  claims?: Claims
}

function addRoutes(app: FastifyInstance): void {
  const used = { onRequest: app.useSession }
  app.post<{ Body: LoginBody }>('/login', (request) => {
    const { account, ...options } = request.body
    return request.signIn('session', account, options)
  })
  app.post('/logout', async (request) => ({ ended: await request.signOut('session' satisfies ModeName) }))
  app.get('/me', { preHandler: app.guard() }, async (request) => request.identity)
  app.get('/public', async () => 'public')
  app.get('/data', used, async (request) => {
    const { cookie: _attributes, ...data } = request.session
    return data
  })
  app.post<{ Body: Record<string, unknown> }>('/data', used, async (request) => {
    for (const [key, value] of Object.entries(request.body)) request.session[key] = value
    return 'written'
  })
}

/** The session cookie that an answer sets, as a Cookie header; '' for a clearing one, undefined without one. */
export function cookieOf(response: LightMyRequestResponse): string | undefined {
  const cookie = response.cookies.findLast(({ name }) => name.endsWith('session'))
  return cookie && (cookie.value ? `${cookie.name}=${cookie.value}` : '')
}

function callers(app: FastifyInstance) {
  const headersOf = (cookie?: string) => (cookie ? { cookie } : {})
  const post = (url: string, cookie?: string, payload: object = {}, headers = {}) =>
    app.inject({ method: 'POST', url, payload, headers: { ...headersOf(cookie), ...headers } })
  const get = (url: string, cookie?: string) => app.inject({ url, headers: headersOf(cookie) })
  return {
    get,
    post,
    /** Signs in, and returns the new cookie. */
    async login(account: Account = ALICE, cookie?: string, more: object = {}): Promise<string> {
      const response = await post('/login', cookie, { account, ...more })
      const set = cookieOf(response)
      if (!set) throw new Error(`no cookie: ${response.statusCode} ${response.body}`)
      return set
    },
    me: (cookie?: string) => get('/me', cookie),
    data: async (cookie?: string) => (await get('/data', cookie)).json(),
    /** Writes data, and returns the cookie that the client holds then. */
    async write(data: object, cookie?: string): Promise<string> {
      const response = await post('/data', cookie, data)
      const held = cookieOf(response) ?? cookie
      if (response.statusCode !== 200 || !held) throw new Error(`${response.statusCode} ${response.body}`)
      return held
    },
  }
}

/** What a handler waits at until the test lets it go on. */
export interface Gate {
  readonly opened: Promise<void>
  open(): void
}

export function makeGate(): Gate {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** A store of each kind, on real servers and files, that ends with the test. */
export const STORES: Record<string, (t: Test) => Promise<StateStore>> = {
  memory: async () => createMemoryStore(),
  async sqlite(t) {
    // In memory where there is such a directory: syncing a disk for each commit would take most of the time.
    const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
    const directory = mkdtempSync(join(parent, 'session-'))
    const database = await openDatabase(join(directory, 'state.db'))
    t.teardown(async () => {
      await database.close()
      rmSync(directory, { recursive: true, force: true })
    })
    return createSqliteStore(database)
  },
  async redis(t) {
    const server = await startRedis()
    const client = openRedis(server.url)
    await firstAttempt(client, 5000)
    t.teardown(async () => {
      await closeRedis(client)
      await server.stop()
    })
    return new RedisStore(client)
  },
}
