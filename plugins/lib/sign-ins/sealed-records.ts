import type { PurposeKeys } from '../credentials/keys.js'
import type { Rotation, RotationResult, SignInRecord, StateStore } from '../stores/contract.js'
import { isStale, openRecord, sealRecord } from './record-seal.js'

type Store = Pick<StateStore, 'addSignIn' | 'findSignIn' | 'listSignIns' | 'resealSignIn' | 'rotateRefresh'>

/** The records of sign-ins in a store, whatever kind of store it is: sealed on the way in, opened on the way out. */
export class SealedRecords {
  readonly #store: Store
  readonly #keys: PurposeKeys

  constructor(store: Store, keys: PurposeKeys) {
    this.#store = store
    this.#keys = keys
  }

  /** @returns how many the account has then */
  add(record: SignInRecord): Promise<number> {
    return this.#store.addSignIn(sealRecord(this.#keys, record))
  }

  /** One to be shown, or to be ended. */
  async find(accountId: string, id: string, now: number): Promise<SignInRecord | null> {
    const stored = await this.#store.findSignIn(accountId, id, now)
    return stored && (openRecord(this.#keys, stored)?.signIn ?? null)
  }

  /** One that a token is issued by. */
  async findGenuine(accountId: string, id: string, now: number): Promise<SignInRecord | null> {
    const stored = await this.#store.findSignIn(accountId, id, now)
    return stored && this.#genuine(stored)
  }

  async list(accountId: string, now: number): Promise<SignInRecord[]> {
    const all = await this.#store.listSignIns(accountId, now)
    return all.flatMap((stored) => openRecord(this.#keys, stored)?.signIn ?? [])
  }

  /** `gone` also for a record that is not genuine. */
  async rotate(accountId: string, id: string, rotation: Rotation): Promise<RotationResult> {
    const result = await this.#store.rotateRefresh(accountId, id, rotation)
    if (result.outcome === 'gone') return result
    const signIn = this.#genuine(result.signIn)
    if (!signIn) return { outcome: 'gone' }
    if (result.outcome === 'rotated') await this.#renewSeal(result.signIn, signIn)
    return { ...result, signIn }
  }

  /**
   * Under the key of the successor, which was just made: both go with one secret. What was rotated is answered, and the next
   * rotation tries again.
   */
  async #renewSeal(stored: SignInRecord, signIn: SignInRecord): Promise<void> {
    const { seal } = isStale(this.#keys, stored) ? sealRecord(this.#keys, signIn) : stored
    if (seal && seal !== stored.seal) await this.#store.resealSignIn?.(stored, seal).catch(() => {})
  }

  #genuine(stored: SignInRecord): SignInRecord | null {
    const opened = openRecord(this.#keys, stored)
    return opened?.isGenuine ? opened.signIn : null
  }
}
