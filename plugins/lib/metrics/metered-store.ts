import type { MaybePromise, SignInRef } from '../contract.js'
import type { Feed, Rotation, SessionRecord, SignInRecord, StateStore } from '../stores/contract.js'
import { UNKNOWN_REVISION } from '../stores/rules.js'
import { type Tell, timed } from './timed.js'

/** The operations that are measured. */
export type StoreOperation = Exclude<keyof StateStore, 'kind' | 'feed' | 'revision' | 'close'>

/** Returns the reporter of an operation. */
export type TellOf = (operation: StoreOperation) => Tell

/** A store that reports how long its operations took, and which failed. It behaves the same otherwise. */
export class MeteredStore implements StateStore {
  readonly #store: StateStore
  readonly #tellOf: TellOf

  constructor(store: StateStore, tellOf: TellOf) {
    this.#store = store
    this.#tellOf = tellOf
  }

  get kind(): string {
    return this.#store.kind
  }

  get feed(): Feed | undefined {
    return this.#store.feed
  }

  /**
   * Runs with nearly every request. An answer without a promise comes from memory or the embedded file. It is not
   * timed: reading the clock twice would cost more than the answer. A promise is timed from the call on.
   */
  isLive(ref: SignInRef): MaybePromise<boolean> {
    const live = this.#counted(() => this.#store.isLive(ref))
    return typeof live === 'boolean' ? live : this.#ask('isLive', () => live)
  }

  /** Not timed: it runs with every request. */
  revision(): number {
    return this.#counted(() => this.#store.revision?.() ?? UNKNOWN_REVISION)
  }

  generation() {
    return this.#ask('generation', () => this.#store.generation())
  }

  addSignIn(record: SignInRecord) {
    return this.#run('addSignIn', () => this.#store.addSignIn(record))
  }

  findSignIn(accountId: string, id: string, now: number) {
    return this.#run('findSignIn', () => this.#store.findSignIn(accountId, id, now))
  }

  listSignIns(accountId: string, now: number) {
    return this.#run('listSignIns', () => this.#store.listSignIns(accountId, now))
  }

  touchSignIn(accountId: string, id: string, lastSeenAt: number, idleExpiresAt: number) {
    return this.#run('touchSignIn', () => this.#store.touchSignIn(accountId, id, lastSeenAt, idleExpiresAt))
  }

  rotateRefresh(accountId: string, id: string, rotation: Rotation) {
    return this.#run('rotateRefresh', () => this.#store.rotateRefresh(accountId, id, rotation))
  }

  resealSignIn(record: SignInRecord, seal: string) {
    return this.#run('resealSignIn', async () => this.#store.resealSignIn?.(record, seal))
  }

  endSignIn(accountId: string, id: string, until: number) {
    return this.#run('endSignIn', () => this.#store.endSignIn(accountId, id, until))
  }

  endSignIns(accountId: string, except: string | null, now: number, belowEpoch?: number) {
    return this.#run('endSignIns', () => this.#store.endSignIns(accountId, except, now, belowEpoch))
  }

  raiseEpoch(accountId: string, epoch: number, spared: string | null, until: number) {
    return this.#run('raiseEpoch', () => this.#store.raiseEpoch(accountId, epoch, spared, until))
  }

  createSession(key: string, record: SessionRecord) {
    return this.#run('createSession', () => this.#store.createSession(key, record))
  }

  readSession(key: string, now: number) {
    return this.#ask('readSession', () => this.#store.readSession(key, now))
  }

  replaceSession(key: string, record: SessionRecord) {
    return this.#run('replaceSession', () => this.#store.replaceSession(key, record))
  }

  touchSession(key: string, idleExpiresAt: number) {
    return this.#run('touchSession', () => this.#store.touchSession(key, idleExpiresAt))
  }

  destroySession(key: string) {
    return this.#run('destroySession', () => this.#store.destroySession(key))
  }

  ping() {
    return this.#run('ping', () => this.#store.ping())
  }

  sweep(now: number) {
    return this.#run('sweep', () => this.#store.sweep(now))
  }

  close() {
    return this.#store.close()
  }

  /** Reports an error that is thrown at once as a fault of `isLive`. */
  #counted<T>(look: () => T): T {
    try {
      return look()
    } catch (error) {
      this.#tellOf('isLive')(0, true)
      throw error
    }
  }

  #run<T>(operation: StoreOperation, run: () => Promise<T>): Promise<T> {
    return timed(run, this.#tellOf(operation))
  }

  #ask<T>(operation: StoreOperation, run: () => MaybePromise<T>): MaybePromise<T> {
    return timed(run, this.#tellOf(operation))
  }
}
