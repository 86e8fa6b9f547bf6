import { timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { CheckedAccount, Identity, SignInRef } from '../contract.js'
import { freezeDeep } from '../credentials/identity-claims.js'
import { CredentialInvalid, StoreUnavailable } from '../errors.js'
import { clientAddress } from '../http/client-address.js'
import { checkAccount } from '../identity/account-check.js'
import { Newest } from '../newest.js'
import { ownText } from '../own-text.js'
import { refusedAs, SIGNED_OUT } from '../verified/verified.js'
import type { ApiKeySource, FoundApiKey, StoredApiKey } from './contract.js'
import { hashOf } from './format.js'

export type RefusedResolution = ReturnType<typeof refusedAs>

export const INVALID: RefusedResolution = refusedAs('CREDENTIAL_INVALID')
const EXPIRED: RefusedResolution = refusedAs('CREDENTIAL_EXPIRED')

/** A key that is live at this moment. */
export interface LiveKey {
  readonly kind: 'live'
  readonly identity: Identity
  readonly ref: SignInRef
  /** When it expires, in ms. */
  readonly until: number
}

/** A key as the client sent it, with a correct checksum. */
export interface PresentedKey {
  readonly id: string
  readonly text: string
}

interface Genuine extends FoundApiKey {
  /** The generation of the revocation list, read before the database. */
  readonly generation: number
}

interface Remembered {
  readonly refusal: RefusedResolution
  /** In ms. */
  readonly from: number
}

/** How many refused keys are remembered, at some 200 bytes each. */
const REMEMBERED = 10_000
/**
 * In ms. A program that keeps sending a dead key costs the database one query in this time. It does not count against
 * other clients at its address.
 */
const REMEMBERED_FOR = 60_000
/** Used for the comparison if no key has the id, so that an unknown id takes as long as a wrong secret. */
const NO_HASH = Buffer.alloc(32)

/** Whether a key is the stored one. Takes as long if there is none. */
export function matches(text: string, stored: StoredApiKey | undefined): boolean {
  const hash = stored ? Buffer.from(stored.hash, 'base64url') : NO_HASH
  const isEqual = hash.length === NO_HASH.length && timingSafeEqual(hashOf(text), hash)
  return isEqual && stored !== undefined
}

/** The identity of a key. */
export function identityOfKey(
  { id, accountId, claims, scopes }: StoredApiKey,
  { username, role }: Pick<Identity, 'username' | 'role'>,
): Identity {
  return Object.freeze({
    accountId,
    username,
    role,
    mode: 'api_key',
    signInId: id,
    claims: freezeDeep(claims),
    scopes: Object.freeze([...scopes]),
  })
}

/** The account of a key that has not ended, or null. The caller checks the expiry. */
export function ownerOf({ key, account }: FoundApiKey): CheckedAccount | null {
  if (key.endedAt !== null || account === null) return null
  const checked = checkAccount(account)
  return checked.epoch > key.epoch ? null : checked
}

/** Asks the database about keys. */
export class KeyLookup {
  readonly #refused = new Newest<string, Remembered>(REMEMBERED)
  readonly #running = new Map<string, Promise<Genuine>>()

  constructor(
    private readonly app: FastifyInstance,
    private readonly source: ApiKeySource,
  ) {}

  /** Why this key was refused a moment ago, if it was. */
  recall(text: string, now: number): RefusedResolution | undefined {
    const known = this.#refused.get(text)
    return known && now >= known.from && now < known.from + REMEMBERED_FOR ? known.refusal : undefined
  }

  /**
   * The key as the database has it now, or the reason for its refusal.
   * @param request counts against its address if the key is unknown; null for a key that was verified before
   * @throws THROTTLED, STORE_UNAVAILABLE
   */
  async ask(
    request: FastifyRequest | null,
    key: PresentedKey,
    now: number,
  ): Promise<LiveKey | RefusedResolution> {
    const judged = await this.#judge(request, key, now)
    if (judged.kind === 'refused') this.#refused.set(ownText(key.text), { refusal: judged, from: now })
    return judged
  }

  /**
   * The key, live or not, and null if there is none with this secret.
   * @throws THROTTLED, STORE_UNAVAILABLE
   */
  async find(request: FastifyRequest | null, key: PresentedKey): Promise<Genuine | null> {
    try {
      return await this.#findOnce(request, key)
    } catch (error) {
      if (error instanceof CredentialInvalid) return null
      throw error
    }
  }

  async #judge(
    request: FastifyRequest | null,
    key: PresentedKey,
    now: number,
  ): Promise<LiveKey | RefusedResolution> {
    const found = await this.find(request, key)
    if (!found) return INVALID
    const { key: stored, generation } = found
    // A clock that has lost the time (NaN) makes every key expired.
    const inTime = now < stored.expiresAt
    if (!inTime) return EXPIRED
    const account = ownerOf(found)
    if (!account) return SIGNED_OUT
    const { accountId, id: signInId, epoch, expiresAt } = stored
    const ref = { accountId, signInId, epoch, generation }
    if (await this.app.signIns.isLive(ref))
      return { kind: 'live', identity: identityOfKey(stored, account), ref, until: expiresAt }
    // The key has just been ended, or the list has just been lost. In the second case, the database's answer may be
    // outdated.
    if ((await this.app.stateStore.generation()) !== generation) throw new StoreUnavailable()
    return SIGNED_OUT
  }

  /** Requests with the same key that come meanwhile from the same address share the query, and the attempt that it takes. */
  #findOnce(request: FastifyRequest | null, key: PresentedKey): Promise<Genuine> {
    const name = request === null ? key.text : `${clientAddress(request)} ${key.text}`
    const running = this.#running.get(name)
    if (running) return running
    const finding = this.#findThrottled(request, key).finally(() => this.#running.delete(name))
    this.#running.set(name, finding)
    return finding
  }

  async #findThrottled(request: FastifyRequest | null, key: PresentedKey): Promise<Genuine> {
    const { app } = this
    const look = () => this.#look(key)
    if (request === null || !app.hasDecorator('throttle')) return look()
    // Counted before the query: otherwise a parallel burst of unknown keys would exceed the limit.
    return app.throttle.byAddress(request, 'api_key', look)
  }

  /** @throws CREDENTIAL_INVALID */
  async #look({ id, text }: PresentedKey): Promise<Genuine> {
    const generation = await this.app.stateStore.generation()
    const found = await this.source.find(id)
    if (!matches(text, found?.key) || !found) throw new CredentialInvalid()
    return { ...found, generation }
  }
}
