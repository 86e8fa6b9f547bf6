import type { GivenFactor } from '../contract.js'
import { mergeFactors } from '../credentials/given-factors.js'
import type { PurposeKeys } from '../credentials/keys.js'
import { StoreUnavailable } from '../errors.js'
import type { Rotation, RotationResult, SignInRecord, StateStore } from '../stores/contract.js'
import { isStale, openRecord, sealRecord } from './record-seal.js'

type Store = Pick<
  StateStore,
  'addSignIn' | 'findSignIn' | 'listSignIns' | 'resealSignIn' | 'rotateRefresh' | 'settleBinding'
>

/** Each failed attempt means that another writer succeeded. Only this many parallel writers exhaust them. */
const ATTEMPTS_MAX = 100

const NO_RESEAL = 'a step-up needs a store with resealSignIn'

/** The records of sign-ins in any store: sealed when written, opened when read. */
export class SealedRecords {
  constructor(
    private readonly store: Store,
    private readonly keys: PurposeKeys,
  ) {}

  /** @returns how many the account then has */
  add(record: SignInRecord): Promise<number> {
    return this.store.addSignIn(sealRecord(this.keys, record))
  }

  /** A record to show, or of a sign-in to end. */
  async find(accountId: string, id: string, now: number): Promise<SignInRecord | null> {
    const stored = await this.store.findSignIn(accountId, id, now)
    return stored && (openRecord(this.keys, stored)?.signIn ?? null)
  }

  /** A record from which a token may be issued. */
  async findGenuine(accountId: string, id: string, now: number): Promise<SignInRecord | null> {
    const stored = await this.store.findSignIn(accountId, id, now)
    return stored && this.#genuine(stored)
  }

  /** Sets the binding of the sign-in, unless it has one. @returns the record with the binding that it has then */
  async settle(
    accountId: string,
    id: string,
    binding: string,
    now: number,
    replaced?: string,
  ): Promise<SignInRecord | null> {
    const stored = await this.store.settleBinding?.(accountId, id, binding, now, replaced)
    return stored ? (openRecord(this.keys, stored)?.signIn ?? null) : null
  }

  /**
   * Adds factors to a sign-in. The factors of all parallel callers are added: each caller replaces only the seal that it has
   * read, and then checks that the record has its factors.
   * @param strongFrom see SignInRecord
   * @returns the record with the factors; null if the record is gone or not genuine
   * @throws STORE_UNAVAILABLE also if the store cannot replace a seal
   */
  async addFactors(
    accountId: string,
    id: string,
    given: readonly GivenFactor[],
    now: number,
    strongFrom?: number,
  ): Promise<SignInRecord | null> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const stored = await this.store.findSignIn(accountId, id, now)
      // A record without a seal is from version 0.1. Somebody may have changed it, and a seal would authenticate the change.
      const signIn = stored?.seal ? this.#genuine(stored) : null
      if (!stored || !signIn) return null
      const factors = mergeFactors(signIn.factors ?? [], given)
      const strong = { ...signIn, factors, ...(strongFrom === undefined ? {} : { strongFrom }) }
      if (haveSame(strong.factors, signIn.factors)) return signIn
      const { seal } = sealRecord(this.keys, strong)
      if (!this.store.resealSignIn || !seal) throw new StoreUnavailable({ cause: new Error(NO_RESEAL) })
      await this.store.resealSignIn(stored, seal)
    }
    throw new StoreUnavailable()
  }

  async list(accountId: string, now: number): Promise<SignInRecord[]> {
    const all = await this.store.listSignIns(accountId, now)
    return all.flatMap((stored) => openRecord(this.keys, stored)?.signIn ?? [])
  }

  /** Returns `gone` also for a record that is not genuine. */
  async rotate(accountId: string, id: string, rotation: Rotation): Promise<RotationResult> {
    const result = await this.store.rotateRefresh(accountId, id, rotation)
    if (result.outcome === 'gone') return result
    const signIn = this.#genuine(result.signIn)
    if (!signIn) return { outcome: 'gone' }
    if (result.outcome === 'rotated') await this.#renewSeal(result.signIn, signIn)
    return { ...result, signIn }
  }

  /**
   * Renews the seal under the key of the new refresh token: both go with one secret. If that fails, the rotation still
   * counts, and the next one tries again.
   */
  async #renewSeal(stored: SignInRecord, signIn: SignInRecord): Promise<void> {
    const { seal } = isStale(this.keys, stored) ? sealRecord(this.keys, signIn) : stored
    if (seal && seal !== stored.seal) await this.store.resealSignIn?.(stored, seal).catch(() => {})
  }

  #genuine(stored: SignInRecord): SignInRecord | null {
    const opened = openRecord(this.keys, stored)
    return opened?.isGenuine ? opened.signIn : null
  }
}

function haveSame(factors: readonly GivenFactor[], others: readonly GivenFactor[] = []): boolean {
  return JSON.stringify(factors) === JSON.stringify(others)
}
