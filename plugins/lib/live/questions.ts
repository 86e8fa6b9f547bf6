import type { Clock, MaybePromise, ModeName, SignInRef, SignInTimes } from '../contract.js'
import { CredentialExpired, SignedOut } from '../errors.js'
import type { SignIns } from '../sign-ins/contract.js'
import { refOfRecord } from '../sign-ins/record.js'
import { Batches } from '../stores/batches.js'
import type { StateStore } from '../stores/contract.js'
import { UNKNOWN_REVISION } from '../stores/rules.js'
import type { Watched } from './watched.js'

export interface QuestionParts {
  readonly store: Pick<StateStore, 'areLive' | 'generation'>
  readonly signIns: Pick<SignIns, 'isLive' | 'isKept' | 'revision' | 'find'>
  readonly clock: Clock
  /** When the newest credential of a sign-in expires, in ms. */
  endsAt(mode: ModeName, times: SignInTimes): number
}

/** True: it is live. An error: why it has ended. null: nobody could tell. */
export type Answer = true | null | Error

/** Asks about sign-ins: this process's memory, or in batches the store. Never throws. */
export class Questions {
  readonly #looks = new Batches((refs: readonly SignInRef[]) => this.#askStore(refs))
  readonly #readings = new Batches((all: readonly Watched[]) =>
    Promise.all(all.map((one) => this.#read(one))),
  )

  constructor(private readonly parts: QuestionParts) {}

  /** Whether the credential may have expired, so that only the record can tell. */
  isDue({ ref, dueAt }: Watched): boolean {
    const isInTime = ref !== null && this.parts.clock() < dueAt
    return !isInTime
  }

  /** A promise only if the store must be asked. */
  ask(watched: Watched): MaybePromise<Answer> {
    const { ref } = watched
    if (ref === null || this.isDue(watched)) return this.#readings.add(watched)
    const answer = this.#look(ref)
    return this.parts.signIns.isKept(ref.signInId) ? this.#confirm(watched, answer) : answer
  }

  /** A lost revocation list refuses API keys, too. Only their database can tell which of them live on. */
  #confirm(watched: Watched, answer: MaybePromise<Answer>): MaybePromise<Answer> {
    if (answer instanceof Promise) return answer.then((told) => this.#confirm(watched, told))
    return answer instanceof SignedOut ? this.#readings.add(watched) : answer
  }

  #look(ref: SignInRef): MaybePromise<Answer> {
    const { store, signIns } = this.parts
    try {
      if (store.areLive && signIns.revision() === UNKNOWN_REVISION) return this.#looks.add(ref)
      const live = signIns.isLive(ref)
      return live instanceof Promise ? live.then(answerOf, () => null) : answerOf(live)
    } catch {
      return Promise.resolve(null)
    }
  }

  async #askStore(refs: readonly SignInRef[]): Promise<readonly Answer[]> {
    try {
      const live = (await this.parts.store.areLive?.(refs)) ?? []
      return refs.map((_, index) => answerOf(live[index] === true))
    } catch {
      return refs.map(() => null)
    }
  }

  /** Reads its record. A connection that is open does not count as use: nothing is written. */
  async #read(watched: Watched): Promise<Answer> {
    const { accountId, signInId, mode } = watched.identity
    const { store, signIns, clock, endsAt } = this.parts
    try {
      // Before the record: a list that is lost meanwhile must not vouch for it.
      const generation = signIns.isKept(signInId) ? await store.generation() : null
      const record = await signIns.find(accountId, signInId)
      if (!record) return new SignedOut()
      if (generation !== null) watched.ref = { ...refOfRecord(record), generation }
      watched.ref ??= refOfRecord(record)
      const end = endsAt(mode, record)
      const isRenewed = clock() < end
      if (!isRenewed) return new CredentialExpired()
      watched.dueAt = end
      return await this.#look(watched.ref)
    } catch {
      return null
    }
  }
}

const answerOf = (live: boolean): Answer => live || new SignedOut()
