import { setTimeout as delay } from 'node:timers/promises'
import type { SignInRef } from '../../plugins/lib/contract.js'
import { StoreUnavailable } from '../../plugins/lib/errors.js'
import type { StateStore } from '../../plugins/lib/stores/contract.js'
import { signInRecord } from '../store-contract.js'
import { ownTime } from './own-time.js'

const UNTIL = 2 ** 50
/** What one instance revoked, the other refuses no later than so long after the revoker was answered, in ms. */
const REFUSED_WITHIN = 1000
const NOW = signInRecord().createdAt

interface Ended {
  readonly ref: SignInRef
  readonly by: StateStore
  /** When it was answered as stored, on the monotonic clock. */
  readonly at: number
}

/** Ways to end a sign-in, each with whether it is answered as ended. */
const ENDINGS: readonly ((store: StateStore, ref: SignInRef) => Promise<boolean>)[] = [
  (store, { accountId, signInId }) => store.endSignIn(accountId, signInId, UNTIL).then(() => true),
  (store, { accountId }) => store.raiseEpoch(accountId, 2, null, UNTIL).then(() => true),
  (store, { accountId, signInId }) =>
    store.endSignIns(accountId, null, NOW).then((ids) => ids.includes(signInId)),
]

/**
 * Two instances on which people sign in, are looked up at the other one, and are ended, while everything that was
 * answered as ended is asked for at both, over and over.
 */
export class FailoverLoad {
  readonly ended: Ended[] = []
  /** Operations that were refused as STORE_UNAVAILABLE. */
  unavailable = 0
  /** The longest that an operation took, in ms. */
  slowest = 0
  /** What must not be: accepted though ended, refused though live, another error. */
  readonly wrong = new Set<string>()
  #isRunning = true
  #count = 0
  readonly #running: readonly Promise<void>[]

  constructor(readonly stores: readonly [StateStore, StateStore]) {
    const [one, other] = stores
    this.#running = [this.#live(one, other), this.#live(other, one), this.#watch()]
  }

  async stop(): Promise<void> {
    this.#isRunning = false
    await Promise.all(this.#running)
  }

  /** Those of all that were ended that a store accepts. */
  async acceptedBy(store: StateStore): Promise<string[]> {
    const accepted: string[] = []
    for (const { ref } of this.ended) if (await store.isLive(ref)) accepted.push(ref.signInId)
    return accepted
  }

  async #live(here: StateStore, there: StateStore): Promise<void> {
    for (; this.#isRunning; await delay(5)) await this.#attempt(() => this.#turn(here, there))
  }

  async #turn(here: StateStore, there: StateStore): Promise<void> {
    const name = String(++this.#count)
    const generation = await this.#timed(() => here.generation())
    const ref = { accountId: name, signInId: `s${name}`, epoch: 1, generation }
    await this.#timed(() => here.addSignIn(signInRecord({ ...ref, id: ref.signInId })))
    if (!(await this.#timed(() => there.isLive(ref)))) this.wrong.add('a live one is refused')
    const end = ENDINGS[this.#count % ENDINGS.length]
    if (!end || !(await this.#timed(() => end(here, ref)))) return
    this.ended.push({ ref, by: here, at: ownTime() })
  }

  async #watch(): Promise<void> {
    for (; this.#isRunning; await delay(50)) {
      for (const ended of this.ended) await this.#attempt(() => this.#ask(ended))
    }
  }

  /** At the one that ended it from the next request on. */
  async #ask({ ref, by, at }: Ended): Promise<void> {
    for (const store of this.stores) {
      const isDue = store === by || ownTime() - at > REFUSED_WITHIN
      if (isDue && (await store.isLive(ref))) this.wrong.add(`${ref.signInId} is accepted`)
    }
  }

  async #timed<T>(operation: () => Promise<T> | T): Promise<T> {
    const start = ownTime()
    try {
      return await operation()
    } finally {
      this.slowest = Math.max(this.slowest, ownTime() - start)
    }
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (error instanceof StoreUnavailable) this.unavailable++
      else this.wrong.add(String(error))
    }
  }
}
