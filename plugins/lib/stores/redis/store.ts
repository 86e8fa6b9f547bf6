import type { MaybePromise, SignInRef } from '../../contract.js'
import { type Revocation, raisedEpoch } from '../../revocation/revocation.js'
import type { Rotation, SessionRecord, SignInRecord, StateStore } from '../contract.js'
import { UNKNOWN_REVISION } from '../rules.js'
import { COMMAND_TIMEOUT, redisFault } from './client.js'
import { RedisEndings } from './endings.js'
import { type Looked, RedisRevocations, type RedisRevocationsOptions } from './revocations.js'
import { inTime, PREFIX, type RedisClient } from './scripts.js'
import { RedisSessions } from './sessions.js'
import { RedisSignIns } from './sign-ins.js'
import { RedisSpent } from './spent.js'

export interface RedisStoreOptions extends Partial<RedisRevocationsOptions> {
  /** How long an operation may take, in ms. 1000 by default. */
  readonly commandTimeout?: number
  /** Runs at `close`, for a client that belongs to the store. */
  readonly onClose?: (() => Promise<void>) | undefined
}

/**
 * State in Redis 6.2 or newer, standalone or a cluster. No script uses keys of several slots on a cluster. An operation
 * fails after the timeout, whatever the client's own settings are.
 */
export class RedisStore implements StateStore {
  readonly kind = 'redis'
  readonly #client: RedisClient
  readonly #timeout: number
  readonly #onClose: (() => Promise<void>) | undefined
  readonly #revocations: RedisRevocations
  readonly #signIns: RedisSignIns
  readonly #sessions: RedisSessions
  readonly #spent: RedisSpent
  readonly #endings: RedisEndings

  constructor(client: RedisClient, options: RedisStoreOptions = {}) {
    const { prefix = PREFIX, commandTimeout = COMMAND_TIMEOUT, onClose } = options
    this.#client = client
    this.#timeout = commandTimeout
    this.#onClose = onClose
    this.#revocations = new RedisRevocations(client, { ...options, prefix })
    this.#signIns = new RedisSignIns(client, prefix)
    this.#sessions = new RedisSessions(client, prefix)
    this.#spent = new RedisSpent(client, prefix)
    this.#endings = new RedisEndings(client, this.#revocations, this.#signIns, this.#sessions)
  }

  /** For plugins that keep their state in the same Redis. */
  get client(): RedisClient {
    return this.#client
  }

  generation() {
    return this.#inTime(this.#revocations.generation())
  }

  /** The value for "ask each time": this store has no copy of the list. */
  revision(): number {
    return UNKNOWN_REVISION
  }

  isLive(ref: SignInRef): MaybePromise<boolean> {
    return this.look(ref).then(({ isLive }) => isLive)
  }

  areLive(refs: readonly SignInRef[]): Promise<readonly boolean[]> {
    return this.#inTime(this.#revocations.areLive(refs))
  }

  /** Asks Redis about a sign-in. One command. */
  look(ref: SignInRef): Promise<Looked> {
    return this.#inTime(this.#revocations.look(ref))
  }

  addSignIn(record: SignInRecord) {
    return this.#inTime(this.#signIns.add(record))
  }

  findSignIn(accountId: string, id: string, now: number) {
    return this.#inTime(this.#signIns.find(accountId, id, now))
  }

  listSignIns(accountId: string, now: number) {
    return this.#inTime(this.#signIns.list(accountId, now))
  }

  touchSignIn(accountId: string, id: string, lastSeenAt: number, idleExpiresAt: number) {
    return this.#inTime(this.#signIns.touch(accountId, id, lastSeenAt, idleExpiresAt))
  }

  rotateRefresh(accountId: string, id: string, rotation: Rotation) {
    return this.#inTime(this.#signIns.rotate(accountId, id, rotation))
  }

  resealSignIn(record: SignInRecord, seal: string) {
    return this.#inTime(this.#signIns.reseal(record, seal))
  }

  settleBinding(accountId: string, id: string, binding: string, now: number, replaced?: string) {
    return this.#inTime(this.#signIns.settle(accountId, id, binding, now, replaced))
  }

  endSignIn(accountId: string, id: string, until: number) {
    return this.#inTime(this.#endings.end(accountId, id, until))
  }

  endSignIns(accountId: string, except: string | null, now: number, belowEpoch?: number) {
    return this.#inTime(this.#endings.endAll(accountId, except, now, belowEpoch))
  }

  raiseEpoch(accountId: string, epoch: number, spared: string | null, until: number) {
    return this.#inTime(this.#revocations.revoke(raisedEpoch(accountId, epoch, spared, until)))
  }

  createSession(key: string, record: SessionRecord) {
    return this.#inTime(this.#sessions.create(key, record))
  }

  readSession(key: string, now: number) {
    return this.#inTime(this.#sessions.read(key, now))
  }

  replaceSession(key: string, record: SessionRecord) {
    return this.#inTime(this.#sessions.replace(key, record))
  }

  touchSession(key: string, idleExpiresAt: number) {
    return this.#inTime(this.#sessions.touch(key, idleExpiresAt))
  }

  destroySession(key: string) {
    return this.#inTime(this.#sessions.destroy(key))
  }

  spendOnce(key: string, until: number, now: number): Promise<boolean> {
    return this.#inTime(this.#spent.spend(key, until - now))
  }

  /** Writes revocations again that a failover has lost. */
  protected revokeAgain(revocations: readonly Revocation[]) {
    return this.#inTime(this.#revocations.revokeAgain(revocations))
  }

  async ping() {
    await this.#inTime(this.#revocations.takeWrite())
  }

  async sweep(now: number): Promise<void> {
    await this.collect(now)
  }

  /** Sweeps. @returns the time (ms) up to which revocations were dropped */
  protected async collect(now: number): Promise<number> {
    for (;;) {
      const { more, upTo } = await this.#inTime(this.#revocations.sweep(now))
      if (!more) return upTo
    }
  }

  async close() {
    await this.#onClose?.()
  }

  /** @throws STORE_UNAVAILABLE if it fails or takes too long */
  async #inTime<T>(operation: Promise<T>): Promise<T> {
    try {
      return await inTime(operation, this.#timeout)
    } catch (error) {
      throw redisFault(error)
    }
  }
}
