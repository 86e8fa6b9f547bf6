import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { CheckedAccount, Claims, Clock, MaybePromise, SignInOptions, SignInRef } from './lib/contract.js'
import { checkClock, checkSeconds } from './lib/options.js'
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
   * The longest that any sign-in lives, in seconds, whatever its mode asks for: the end of one is remembered
   * for so long, and a credential that lived on would come back. Defaults to 400 days, the longest that a
   * browser keeps a cookie.
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
  const replace = async (old: Pick<SignInRef, 'accountId' | 'signInId'>, record: SignInRecord) => {
    try {
      await end(old)
    } catch (error) {
      // Nobody will hold the new one: taken back, as far as the store lets us, so that no list shows it.
      await end({ accountId: record.accountId, signInId: record.id }).catch(() => {})
      throw error
    }
  }
  return {
    async begin(request, start) {
      const absoluteTtl = Math.min(start.absoluteTtl, longestTtl)
      const record = makeRecord(request, { ...start, absoluteTtl }, await store.generation(), clock())
      await store.addSignIn(record)
      if (start.options.replaces) await replace(start.options.replaces, record)
      return record
    },
    isLive(ref) {
      const live = store.isLive(ref)
      // A driver's own kind of promise is no `Promise`, and a mode would take it for "yes".
      return typeof live === 'boolean' ? live : Promise.resolve(live)
    },
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

/** @throws OPTION_INVALID */
async function signIns(app: FastifyInstance, options: SignInsOptions): Promise<void> {
  const clock = checkClock(options.clock ?? Date.now)
  const longestTtl = checkSeconds('longestTtl', options.longestTtl ?? LONGEST_TTL)
  app.decorate('signIns', createSignIns(app.stateStore, clock, longestTtl))
}

export default fp(signIns, {
  fastify: '5.x',
  name: 'fastify-identity-sign-ins',
  dependencies: ['fastify-identity-stores'],
})
