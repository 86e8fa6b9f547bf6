import type { FastifyRequest } from 'fastify'
import type { MaybePromise, Resolution } from '../contract.js'
import { identityOf, refOf } from '../credentials/identity-claims.js'
import type { PurposeKeys } from '../credentials/keys.js'
import type { Demand, ModeDevices } from '../device/mode-devices.js'
import { ProofSlot } from '../device/proof.js'
import type { SignIns } from '../sign-ins/contract.js'
import type { VerifiedCache } from '../verified/cache.js'
import { refusedAs, Verified } from '../verified/verified.js'
import type { CookieRenewal } from './renewal.js'
import { type CookiePayload, endOfCookie, openCookie } from './seal.js'

export const INVALID = refusedAs('CREDENTIAL_INVALID')
const EXPIRED = refusedAs('CREDENTIAL_EXPIRED')

export interface VerificationParts {
  readonly keys: PurposeKeys
  readonly cache: VerifiedCache
  readonly renewal: CookieRenewal
  readonly signIns: SignIns
  /** In seconds. */
  readonly absoluteTtl: number
  /** Null without device binding. */
  readonly devices: ModeDevices | null
}

/** Verifies cookies that are not in the cache. */
export class CookieVerification {
  constructor(private readonly parts: VerificationParts) {}

  verify(request: FastifyRequest, text: string, now: number): MaybePromise<Resolution> {
    const { keys, absoluteTtl, devices, signIns } = this.parts
    const payload = openCookie(keys, text)
    if (!payload) return INVALID
    // Max-Age binds only honest clients, so the server checks as well. A broken clock (NaN) makes everything expired.
    const inTime = now < endOfCookie(payload, absoluteTtl)
    if (!inTime) return EXPIRED
    if (devices === null) return this.#admit(request, text, payload, now).resolve(signIns)
    return this.#verifyBound(devices, request, text, payload, now)
  }

  /** An ended sign-in needs no lookup of its binding. */
  #verifyBound(
    devices: ModeDevices,
    request: FastifyRequest,
    text: string,
    payload: CookiePayload,
    now: number,
  ): MaybePromise<Resolution> {
    const answer = (demand: Demand): MaybePromise<Resolution> => {
      if (demand === 'gone' || demand === 'refused') return devices.refuse(demand, refOf(payload))
      return devices.resolve(request, this.#admit(request, text, payload, now, demand), now)
    }
    const ask = (): MaybePromise<Resolution> => {
      const demand = devices.demandOf(refOf(payload), payload.dev, payload.auth_time * 1000, now)
      return demand instanceof Promise ? demand.then(answer) : answer(demand)
    }
    if (payload.dev !== 1) return ask()
    const live = new Verified(identityOf(payload, 'cookie'), text, refOf(payload), now, now).resolve(
      this.parts.signIns,
    )
    const proceed = (is: Resolution) => (is.kind === 'identity' ? ask() : is)
    return live instanceof Promise ? live.then(proceed) : proceed(live)
  }

  /**
   * The cookie as a verified credential. Not kept if the answer replaces it, because its binding was decided just now.
   */
  #admit(
    request: FastifyRequest,
    text: string,
    payload: CookiePayload,
    now: number,
    demand: Demand = 'none',
  ): Verified {
    const { cache, renewal, devices } = this.parts
    const { dev: _dev, ...unbound } = payload
    const isDecided = devices !== null && payload.dev === 1 && demand !== 'open'
    const decided = isDecided ? { ...unbound, ...(demand === 'device' ? { dev: 2 as const } : {}) } : payload
    renewal.note(request, decided, now, isDecided)
    const rests = renewal.restsUntil(payload)
    const isOpen = demand === 'open' && devices !== null
    const until = isOpen ? Math.min(rests, devices.openUntil(payload.auth_time * 1000)) : rests
    const proof = demand === 'device' ? new ProofSlot() : null
    const credential = new Verified(identityOf(payload, 'cookie'), text, refOf(payload), now, until, proof)
    if (!isDecided) cache.keep(credential, now)
    return credential
  }
}
