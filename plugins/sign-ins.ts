import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { CheckedAccount, Claims, Clock, MaybePromise, SignInOptions, SignInRef } from './lib/contract.js'
import type { Rotation, RotationResult, SignInRecord, StateStore } from './lib/stores/contract.js'

/** What a mode says of a sign-in that it starts. TTLs are in seconds. */
export interface SignInStart {
  readonly mode: string
  readonly account: CheckedAccount
  readonly options: SignInOptions
  /** Ends it when it is not used for so long. Without it only the absolute limit counts. */
  readonly idleTtl?: number
  /** Ends it however much it is used. */
  readonly absoluteTtl: number
  /** Session mode: key of the session record that ends with the sign-in. */
  readonly sessionKey?: string
  /** Token mode: id of the key under which the first refresh token is derived. */
  readonly refreshKeyId?: string
  /** Token mode: what access tokens issued later carry as well. Checked by the mode. */
  readonly claims?: Claims
}

/** The record of every live sign-in, whatever its mode. Every method may throw STORE_UNAVAILABLE. */
export interface SignIns {
  /**
   * Stores a sign-in, then ends the one that it replaces. Only after that may the credential go out:
   * one that is out although its predecessor could not be ended would leave two.
   */
  begin(request: FastifyRequest, start: SignInStart): Promise<SignInRecord>
  /** False once the sign-in was ended, its account's epoch was raised, or the revocation list was lost. */
  isLive(ref: SignInRef): MaybePromise<boolean>
  find(accountId: string, id: string): Promise<SignInRecord | null>
  /** Those within their limits, newest first. */
  list(accountId: string): Promise<SignInRecord[]>
  /** Moves last-seen to now, and the idle limit to `idleTtl` seconds from now. */
  touch(ref: SignInRef, idleTtl: number): Promise<boolean>
  rotate(accountId: string, id: string, rotation: Omit<Rotation, 'now'>): Promise<RotationResult>
  /** Ends one, whether or not there is a record of it. @returns whether there was */
  end(ref: Pick<SignInRef, 'accountId' | 'signInId'>): Promise<boolean>
  /** Ends all of an account, but `except`. @returns how many */
  endAll(accountId: string, except?: string): Promise<number>
}

declare module 'fastify' {
  interface FastifyInstance {
    signIns: SignIns
  }
}

export interface SignInsOptions {
  readonly clock?: Clock
  /**
   * The longest that any credential lives, in seconds: how long the end of a sign-in without a record is
   * remembered. Defaults to 400 days, the longest that a browser keeps a cookie.
   */
  readonly longestTtl?: number
}

const LONGEST_TTL = 400 * 24 * 3600
const USER_AGENT_MAX = 256

/** The record of a sign-in that starts now. */
function makeRecord(
  request: FastifyRequest,
  start: SignInStart,
  generation: number,
  now: number,
): SignInRecord {
  const absoluteExpiresAt = now + start.absoluteTtl * 1000
  const idleExpiresAt = start.idleTtl === undefined ? absoluteExpiresAt : now + start.idleTtl * 1000
  return {
    id: randomBytes(16).toString('base64url'),
    accountId: start.account.id,
    mode: start.mode,
    epoch: start.account.epoch,
    generation,
    createdAt: now,
    lastSeenAt: now,
    idleExpiresAt: Math.min(idleExpiresAt, absoluteExpiresAt),
    absoluteExpiresAt,
    ip: request.ip,
    userAgent: String(request.headers['user-agent'] ?? '').slice(0, USER_AGENT_MAX),
    sessionKey: start.sessionKey ?? null,
    refresh:
      start.refreshKeyId === undefined ? null : { counter: 0, keyId: start.refreshKeyId, rotatedAt: now },
    claims: start.claims ?? null,
  }
}

function createSignIns(store: StateStore, clock: Clock, longestTtl: number): SignIns {
  const end = (ref: Pick<SignInRef, 'accountId' | 'signInId'>) =>
    store.endSignIn(ref.accountId, ref.signInId, clock() + longestTtl * 1000)
  return {
    async begin(request, start) {
      const record = makeRecord(request, start, await store.generation(), clock())
      await store.addSignIn(record)
      if (start.options.replaces) await end(start.options.replaces)
      return record
    },
    isLive: (ref) => store.isLive(ref),
    find: (accountId, id) => store.findSignIn(accountId, id, clock()),
    list: (accountId) => store.listSignIns(accountId, clock()),
    touch(ref, idleTtl) {
      const now = clock()
      return store.touchSignIn(ref.accountId, ref.signInId, now, now + idleTtl * 1000)
    },
    rotate: (accountId, id, rotation) => store.rotateRefresh(accountId, id, { ...rotation, now: clock() }),
    end,
    endAll: async (accountId, except) => (await store.endSignIns(accountId, except ?? null, clock())).length,
  }
}

async function signIns(app: FastifyInstance, options: SignInsOptions): Promise<void> {
  const { clock = Date.now, longestTtl = LONGEST_TTL } = options
  app.decorate('signIns', createSignIns(app.stateStore, clock, longestTtl))
}

export default fp(signIns, {
  fastify: '5.x',
  name: 'fastify-identity-sign-ins',
  dependencies: ['fastify-identity-stores'],
})
