import fastifySession from '@fastify/session'
import type { FastifyInstance } from 'fastify'
import { SessionDataInvalid } from '../errors.js'
import { newSessionId } from './cookie.js'
import { checkData, type Snapshot, snapshotOf } from './merge.js'

export type SessionObject = fastifySession.FastifySessionObject

/** The request and the store of @fastify/session in one object. */
export interface SessionHolder extends fastifySession.SessionStore {
  session: SessionObject | null
}

/** For this id, @fastify/session looks nothing up, and makes a session with a new id. */
export const NO_ID = ''

/**
 * Does not sign, because the suite signs. The plugin's own signature is bound neither to a purpose nor to a cookie
 * name, and it takes a renewed signature for another session.
 */
const signer = {
  sign: (id: string) => id,
  unsign: (id: string) => ({ valid: id !== NO_ID, renew: false, value: id }),
}

/**
 * Runs @fastify/session for one request, without its hooks. Those run on every route, save sessions that no longer
 * exist, set no cookie behind TLS termination, and clear one without `Secure`. The suite uses only `decryptSession`,
 * which makes the session object of an id and sets it on the holder.
 *
 * If the plugin were registered as usual, all requests would share one store, which receives an id and no request. It
 * could not tell two parallel requests of one session apart, although each saves its own changes. The class of the
 * session objects is not exported either. So each request calls the plugin's function, which only builds closures.
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

/** Tells after the plugin's callback, which sets or removes the session. */
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

const SESSION_PROTOTYPE = stockPrototype()

/** An own `save` would hide the method, and assigning to `__proto__` would remove all methods. */
const RESERVED_NAMES: ReadonlySet<string> = new Set([
  '__proto__',
  ...Object.getOwnPropertyNames(SESSION_PROTOTYPE),
])

/** A snapshot of a session object's data. @throws SESSION_DATA_INVALID */
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

/** A snapshot of stored data, without names that were reserved after they were stored. */
export function snapshotOfStored(data: object): Snapshot {
  const own = Object.entries(data).filter(([name]) => !RESERVED_NAMES.has(name))
  return snapshotOf(Object.fromEntries(own))
}
