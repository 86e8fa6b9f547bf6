import fastifySession from '@fastify/session'
import type { FastifyInstance } from 'fastify'
import { SessionDataInvalid } from '../errors.js'
import { newSessionId } from './cookie.js'
import { checkData, type Snapshot, snapshotOf } from './merge.js'

export type SessionObject = fastifySession.FastifySessionObject

/** What @fastify/session needs: a request with a place for its session, and a store. Here they are one. */
export interface SessionHolder extends fastifySession.SessionStore {
  session: SessionObject | null
}

/** The id under which nothing is looked up: @fastify/session then makes a session with a new id. */
export const NO_ID = ''

/**
 * Ids come to it verified and leave it unsigned. Signing is ours: its own ties a cookie neither to its
 * purpose nor to its name, and takes a renewed signature for another session.
 */
const signer = {
  sign: (id: string) => id,
  unsign: (id: string) => ({ valid: id !== NO_ID, renew: false, value: id }),
}

/**
 * Runs @fastify/session for one request, and without its hooks: they serve every route, save without asking
 * whether the session still exists, set no cookie behind TLS termination, and clear one without `Secure`.
 * What is used is `decryptSession`, which makes the session object of an id and hands it to the holder.
 *
 * Why not through its public surface: registered once in a scope of its own, the plugin would have one store for all
 * requests, and that store is told an id and no request. Two requests of one session at once could not be told apart in
 * `get` and `destroy`, although each has its own changes to save. The class of its session objects is not exported.
 * So each request runs the plugin's function again, which only builds closures, with itself as the store.
 */
export function openStock(holder: SessionHolder): (id: string) => void {
  const facade = {
    decryptSession(_id: string, _holder: SessionHolder, _done: () => void) {},
    decorate(name: string, value: unknown) {
      Object.assign(facade, { [name]: value })
    },
    decorateRequest() {},
    addHook() {},
  }
  const options = { secret: signer, store: holder, idGenerator: newSessionId, cookie: { secure: false } }
  // These methods are all of an application that the plugin uses.
  fastifySession(facade as unknown as FastifyInstance, options, () => {})
  return (id) => facade.decryptSession(id, holder, () => {})
}

/** Its callbacks put a session in its place, or take it away: what depends on that is told after them. */
export function tellAfter(callback: (error?: unknown) => void, tell: () => void): (error?: unknown) => void {
  return (error) => {
    callback(error)
    tell()
  }
}

function stockPrototype(): object {
  const holder: SessionHolder = { session: null, get() {}, set() {}, destroy() {} }
  openStock(holder)(NO_ID)
  return Object.getPrototypeOf(holder.session)
}

/** Of every session object. */
const SESSION_PROTOTYPE = stockPrototype()

/**
 * Names that data must not have: an own `save` would hide the method, and assigning to `__proto__` takes
 * all of them away. An application that stores under a name from outside meets them.
 */
const RESERVED_NAMES: ReadonlySet<string> = new Set([
  '__proto__',
  ...Object.getOwnPropertyNames(SESSION_PROTOTYPE),
])

/** What a session object holds of data. @throws SESSION_DATA_INVALID */
export function snapshotOfObject(session: SessionObject): Snapshot {
  const { cookie: _attributes, ...data } = session
  const reserved = Object.keys(data).find((name) => RESERVED_NAMES.has(name))
  if (reserved !== undefined) throw new SessionDataInvalid(reserved, 'the name is reserved')
  if (Object.getPrototypeOf(session) !== SESSION_PROTOTYPE) {
    throw new SessionDataInvalid('__proto__', 'the name is reserved')
  }
  checkData(data)
  return snapshotOf(data)
}

/** The same of stored data, without names that are reserved now and were not when they were stored. */
export function snapshotOfStored(data: object): Snapshot {
  const own = Object.entries(data).filter(([name]) => !RESERVED_NAMES.has(name))
  return snapshotOf(Object.fromEntries(own))
}
