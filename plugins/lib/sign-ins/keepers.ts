import type { SignInRef } from '../contract.js'
import { OptionInvalid } from '../errors.js'
import type { SignInRecord, StateStore } from '../stores/contract.js'
import { newestFirst, revokedUntil } from '../stores/rules.js'
import type { RecordKeeper } from './contract.js'

/** All keepers of an application. */
export class Keepers {
  readonly #all: RecordKeeper[] = []

  /** @param longestTtl the maximum time for which the end of a sign-in is kept, in seconds */
  constructor(
    private readonly store: Pick<StateStore, 'generation' | 'endSignIn'>,
    private readonly longestTtl: number,
  ) {}

  /** @throws OPTION_INVALID if its sign-ins could outlive the memory of their ends */
  add(keeper: RecordKeeper): void {
    if (keeper.longestTtl > this.longestTtl) {
      throw new OptionInvalid(
        'ttlMax',
        `must not be longer than longestTtl of the sign-ins, ${this.longestTtl}`,
      )
    }
    this.#all.push(keeper)
  }

  /** The keeper of the sign-in, or undefined if its record is in the state store. */
  of(id: string): RecordKeeper | undefined {
    return this.#all.find((keeper) => keeper.owns(id))
  }

  /** These records and those of all keepers, newest first. */
  async join(records: SignInRecord[], accountId: string, now: number): Promise<SignInRecord[]> {
    if (this.#all.length === 0) return records
    const kept = await Promise.all(this.#all.map((keeper) => keeper.list(accountId, now)))
    return newestFirst([...records, ...kept.flat()])
  }

  /** @returns whether it was live */
  async endOne(keeper: RecordKeeper, { accountId, signInId }: Ended, now: number): Promise<boolean> {
    const record = await keeper.find(accountId, signInId, now)
    if (record) await this.#end(keeper, [record], now)
    return record !== null
  }

  /** @returns the ids of those that were live */
  async endAll(accountId: string, now: number): Promise<string[]> {
    const ended = await Promise.all(
      this.#all.map(async (keeper) => {
        const records = await keeper.list(accountId, now)
        await this.#end(keeper, records, now)
        return records.map(({ id }) => id)
      }),
    )
    return ended.flat()
  }

  /**
   * The state store refuses them by the epoch. They also end here, so that they stay refused if the state store loses
   * its content.
   */
  async endBelow(accountId: string, epoch: number, now: number): Promise<void> {
    for (const keeper of this.#all) {
      const records = await keeper.list(accountId, now)
      const ids = records.filter((record) => record.epoch < epoch).map(({ id }) => id)
      if (ids.length > 0) await keeper.end(ids, now)
    }
  }

  /**
   * Revokes first, as for other sign-ins. If that fails, nothing has changed, and the caller can try again. If the list
   * is lost in between, the revocation is lost with it. A process that then asked the keeper too early has taken the
   * sign-in for live under the new list. So this revokes it again in the new list.
   */
  async #end(keeper: RecordKeeper, records: readonly SignInRecord[], now: number): Promise<void> {
    if (records.length === 0) return
    const generation = await this.store.generation()
    await this.#revoke(records)
    await keeper.end(
      records.map(({ id }) => id),
      now,
    )
    if ((await this.store.generation()) !== generation) await this.#revoke(records)
  }

  async #revoke(records: readonly SignInRecord[]): Promise<void> {
    await Promise.all(
      records.map((record) => this.store.endSignIn(record.accountId, record.id, revokedUntil(record))),
    )
  }
}

type Ended = Pick<SignInRef, 'accountId' | 'signInId'>
