import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { GivenFactor, SignInRecord } from 'fastify-identity'
import type { CookieNames } from 'fastify-identity/config'
import {
  type CookieSpec,
  cookieSpec,
  type KeyRing,
  openAuthCookie,
  readCookie,
  readSession,
  type StoredSession,
} from 'fastify-identity/inspect'
import { answer } from './http/answer.js'
import { GUARDED } from './openapi/failures.js'
import { Inspection } from './openapi/inspection-schema.js'
import type { Operation } from './openapi/operation.js'

export interface InspectorOptions extends CookieNames {
  readonly production: boolean
  readonly cookieSecure: boolean
  /** Seconds. */
  readonly rememberTtl: number
}

const iso = (time: number) => new Date(time).toISOString()

/** The attributes as they were set. Scripts cannot read them. `maxAge` in seconds; null: until the browser closes. */
function showCookie({ name, attributes }: CookieSpec, maxAge: number | null) {
  const { httpOnly, sameSite, path, secure } = attributes
  return { name, http_only: httpOnly, same_site: sameSite, path, secure, max_age: maxAge }
}

const showFactors = (factors: readonly GivenFactor[] = []) =>
  factors.map(({ method, at }) => ({ method, at: iso(at) }))

/** Field by field, so that a new field of the record is not sent by accident. */
function showSignIn(record: SignInRecord) {
  return {
    created_at: iso(record.createdAt),
    last_seen_at: iso(record.lastSeenAt),
    idle_expires_at: iso(record.idleExpiresAt),
    absolute_expires_at: iso(record.absoluteExpiresAt),
    ip: record.ip,
    user_agent: record.userAgent,
    refreshed: record.refresh?.counter ?? null,
    factors: showFactors(record.factors),
  }
}

function showSession({ content, version, idleExpiresAt, absoluteExpiresAt }: StoredSession) {
  const { signIn, data } = content
  return {
    username: signIn?.username ?? null,
    role: signIn?.role ?? null,
    signed_in_at: signIn ? iso(signIn.auth_time) : null,
    remember: signIn?.remember ?? false,
    // Application data may be confidential, so only its names are sent.
    data_names: Object.keys(data),
    version,
    idle_expires_at: iso(idleExpiresAt),
    absolute_expires_at: iso(absoluteExpiresAt),
  }
}

/** The content of the auth cookie, without the signature that makes it a credential. */
function inspectCookie(request: FastifyRequest, spec: CookieSpec, ring: KeyRing) {
  const reading = readCookie(request.headers.cookie, spec.name)
  const payload = reading.kind === 'one' ? openAuthCookie(ring, reading.value) : null
  if (!payload) return {}
  const { username, role, epoch, remember, auth_time, iat, exp } = payload
  return {
    cookie: showCookie(spec, exp - iat),
    cookie_fields: {
      username,
      role,
      epoch,
      remember,
      signed_in_at: iso(auth_time * 1000),
      issued_at: iso(iat * 1000),
      expires_at: iso(exp * 1000),
      // The factors of this cookie. Another cookie of the sign-in may have more.
      factors: showFactors(request.identity.factors),
    },
  }
}

const INSPECT: Operation = {
  id: 'inspect',
  tag: 'Who am I',
  summary: 'Show the content of the caller’s credential',
  description:
    'Not available in production. Shows the cookie’s attributes, the fields of the session and the sign-in. It never shows a credential.',
  guarded: true,
  data: Inspection,
  authType: 'any',
  says: 'INSPECTED',
  refusals: GUARDED,
}

const NOTHING = { cookie: null, cookie_fields: null, session: null, sign_in: null }

/**
 * Shows the content of the caller's own credential, for development and learning. Left out in production, where nobody
 * needs it, although its answer is harmless. It never sends a credential, or a whole stored record.
 */
export async function inspectorRoutes(app: FastifyInstance, options: InspectorOptions): Promise<void> {
  const { production, cookieSecure, cookieName, sessionName, rememberTtl } = options
  if (production) return
  const authCookie = cookieSpec(cookieName, cookieSecure)
  const sessionCookie = cookieSpec(sessionName, cookieSecure)
  const sessions = { store: app.stateStore, ring: app.keyRing, clock: app.identityClock }

  async function inspectSession(record: SignInRecord | null) {
    const stored = record?.sessionKey ? await readSession(sessions, record.sessionKey) : null
    if (!stored) return {}
    const session = showSession(stored)
    return { cookie: showCookie(sessionCookie, session.remember ? rememberTtl : null), session }
  }

  app.get(
    '/inspector',
    { preHandler: app.guard({ scope: 'read' }), config: { operation: INSPECT } },
    async function inspect(request) {
      const { accountId, signInId, mode } = request.identity
      const record = await app.signIns.find(accountId, signInId)
      const sign_in = record && showSignIn(record)
      const cookie = mode === 'cookie' ? inspectCookie(request, authCookie, app.keyRing) : {}
      const session = mode === 'session' ? await inspectSession(record) : {}
      return answer(request, 'INSPECTED', {
        auth_type: mode,
        data: { ...NOTHING, sign_in, ...cookie, ...session },
      })
    },
  )
}
