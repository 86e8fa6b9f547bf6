/// <reference types="@fastify/session" preserve="true" />
// The declarations must reference it: otherwise an application that is compiled with them has no `request.session`.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { devicesFor } from './lib/device/device-binding.js'
import { OptionInvalid, SessionNotLoaded } from './lib/errors.js'
import { claimCookieName } from './lib/http/cookie-names.js'
import { type CookieSpec, cookieSpec } from './lib/http/cookies.js'
import { checkSeconds, checkWhole, type Known, refuseUnknown } from './lib/options.js'
import { SessionCache } from './lib/session/cache.js'
import type { SessionContent } from './lib/session/content.js'
import { SessionCookie } from './lib/session/cookie.js'
import { type SessionIssued, SessionMode } from './lib/session/mode.js'
import { SessionRecords, type StoredSession } from './lib/session/records.js'
import { SessionSlot } from './lib/session/slot.js'
import type { SessionObject } from './lib/session/stock.js'
import { kSession } from './lib/session/turn.js'
import { UnsavedWarning } from './lib/session/unsaved-warning.js'
import { endOfSession, type SessionParts, type SessionTtls, SessionUse } from './lib/session/use.js'
import { SessionVerification } from './lib/session/verification.js'
import { type CacheOptions, checkCacheOptions } from './lib/verified/cache.js'

export type { SessionIssued }

declare module './lib/contract.js' {
  interface AuthModes {
    session: SessionIssued
  }
}

/** Gives a route `request.session`: `{ onRequest: app.useSession }`, or as `preHandler`. */
export type UseSession = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Hook for routes that use `request.session`: `{ onRequest: app.useSession }`, as `preHandler`, or
     * `scope.addHook('onRequest', app.useSession)`. An empty new session is not stored and sets no cookie. The session
     * is read from the store once. The route's changes are saved before the answer is sent: keys that another request
     * changed meanwhile are kept, and a session destroyed meanwhile stays destroyed. `destroy()` and `regenerate()`
     * also end the sign-in. Changes of `session.cookie` and calls of `session.options()` have no effect, because the
     * mode sets the cookie.
     *
     * An application types its data by `declare module 'fastify' { interface Session { … } }`.
     * @throws STORE_UNAVAILABLE before the handler runs, or instead of its answer if saving fails;
     * CROSS_SITE for an unsafe request from another site;
     * SESSION_DATA_INVALID for data that is not JSON, is too large, or has a reserved name
     */
    useSession: UseSession
  }
}

export interface SessionAuthOptions {
  /** Before the `__Host-` prefix. Defaults to `session`. */
  readonly name?: string
  /** `Secure`, and the `__Host-` prefix. Defaults to true. */
  readonly secure?: boolean
  /** Seconds without use. Defaults to 7200. */
  readonly idleTtl?: number
  /** Lifetime in seconds since the sign-in, however much it is used. Defaults to 604800. */
  readonly absoluteTtl?: number
  /**
   * Seconds without use if remembered, and the cookie's `Max-Age`. Defaults to 604800. The absolute limit of a remembered
   * session is the longer one of this and `absoluteTtl`.
   */
  readonly rememberTtl?: number
  /** The maximum size of a sealed session in the store, in bytes. Defaults to 65536. */
  readonly maxBytes?: number
  /** How many sessions' identities are kept in memory at most. Defaults to 1000000. */
  readonly sessionCache?: number
  /** Their estimated memory in bytes: about 800 for each without added claims. Defaults to 805306368 (768 MiB). */
  readonly cacheBytes?: number
}

interface Settings {
  readonly spec: CookieSpec
  readonly ttls: SessionTtls
  readonly maxBytes: number
  readonly cache: CacheOptions
}

const OPTIONS: Known<SessionAuthOptions> = {
  name: true,
  secure: true,
  idleTtl: true,
  absoluteTtl: true,
  rememberTtl: true,
  maxBytes: true,
  sessionCache: true,
  cacheBytes: true,
}
const MAX_BYTES = 65_536
/**
 * Larger than in other modes, because each session that is not cached costs a command. It is hard to fill: only
 * sign-ins add entries.
 */
const CACHE_BYTES = 768 * 1024 * 1024

function checkOptions(options: SessionAuthOptions): Settings {
  refuseUnknown(options, OPTIONS)
  const { name = 'session', secure = true, maxBytes = MAX_BYTES } = options
  checkWhole('maxBytes', maxBytes, 1024, undefined, 'whole bytes')
  const cache = checkCacheOptions('sessionCache', options.sessionCache, options.cacheBytes ?? CACHE_BYTES)
  const absoluteTtl = checkSeconds('absoluteTtl', options.absoluteTtl ?? 604_800)
  const idleTtl = Math.min(checkSeconds('idleTtl', options.idleTtl ?? 7200), absoluteTtl)
  const rememberTtl = checkSeconds('rememberTtl', options.rememberTtl ?? 604_800)
  const ttls = Object.freeze({ idleTtl, absoluteTtl, rememberTtl })
  return Object.freeze({ spec: cookieSpec(name, secure), ttls, maxBytes, cache })
}

function makeParts(app: FastifyInstance, { spec, ttls, maxBytes }: Settings): SessionParts {
  const { signIns, identityClock: clock, log } = app
  const keys = app.keyRing.purpose('session-data')
  const endOf = (content: SessionContent) => endOfSession(ttls, content)
  const records = new SessionRecords(app.stateStore, keys, maxBytes, clock, endOf)
  const use = new SessionUse({ records, signIns, ttls, clock, log })
  return Object.freeze({ records, use, signIns, ttls, clock, devices: devicesFor(app, 'session', spec) })
}

function makeUseSession(
  app: FastifyInstance,
  parts: SessionParts,
  cookie: SessionCookie,
  verification: SessionVerification,
) {
  const unsaved = new UnsavedWarning()
  return async function useSession(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const turn = verification.turnOf(request)
    if (turn.slot) return
    // A cache must not keep an answer that depends on the caller (RFC 9111 §5.2.2.5).
    reply.header('cache-control', 'no-store')
    // Checked even without a session. With SameSite=Lax, another site's form comes without our cookie. It could then
    // replace the visitor's session by one with the attacker's data.
    app.csrf.checkAmbient(request)
    const credential = cookie.read(request)
    const stored = credential && (await verification.loadProven(request, credential))
    const slot = new SessionSlot(parts, () => turn.show(reply, cookie))
    if (credential && stored) {
      turn.held = credential.id
      slot.openStored(credential.id, stored, verification.noteUse(turn, credential, stored))
    } else slot.openNew()
    turn.slot = slot
    reply.raw.once('close', () => unsaved.check(request, reply, turn))
  }
}

function readSession(this: FastifyRequest): SessionObject {
  const slot = this[kSession]?.slot
  if (!slot) throw new SessionNotLoaded()
  // Null after `destroy()`, although its type does not say so. @fastify/session does the same.
  return slot.session as SessionObject
}

async function sessionAuth(app: FastifyInstance, options: SessionAuthOptions): Promise<void> {
  const settings = checkOptions(options)
  // Fastify's own error would only say that the name is taken.
  if (app.hasRequestDecorator('session')) {
    throw new OptionInvalid(
      'modes',
      "must be ['token', 'cookie'] beside @fastify/session, which has request.session",
    )
  }
  const cookie = new SessionCookie(settings.spec, app.keyRing.purpose('session-id'))
  const parts = makeParts(app, settings)
  const restsUntil = (stored: StoredSession) => parts.use.restsUntil(stored)
  const cache = new SessionCache({ ...settings.cache, clock: app.identityClock, restsUntil })
  const verification = new SessionVerification(parts, cookie, cache)
  const mode = new SessionMode(parts, cookie, cache, verification)
  if (parts.devices) parts.devices.mode = mode
  app.authModes.add(mode)
  claimCookieName(app, 'name', settings.spec)
  app.decorate('useSession', makeUseSession(app, parts, cookie, verification))
  app.decorateRequest('session', { getter: readSession })
  app.addHook('onClose', function finishTouches() {
    return parts.use.settle()
  })
}

export default fp(sessionAuth, {
  fastify: '5.x',
  name: 'fastify-identity-session',
  dependencies: ['fastify-identity-core', 'fastify-identity-sign-ins'],
})
