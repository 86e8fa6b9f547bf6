import type { Clock, MaybePromise, SignInRef } from '../../contract.js'
import { checkWhole } from '../../options.js'
import { RevocationList } from '../../revocation/list.js'
import { endedSignIn, type Revocation, shortenedEnd } from '../../revocation/revocation.js'
import type { Rotation, RotationResult, SignInRecord } from '../contract.js'
import { CLOCK_MARGIN, UNKNOWN_REVISION } from '../rules.js'
import { COMMAND_TIMEOUT, redisFault } from './client.js'
import { RedisClock } from './clock.js'
import { RevocationFeed } from './feed.js'
import { RecentRevocations } from './recent-revocations.js'
import { RedisReplicas } from './replicas.js'
import { revocationKeys } from './revocations.js'
import { PREFIX, type RedisClient } from './scripts.js'
import { RedisStore, type RedisStoreOptions } from './store.js'

export interface FollowedStoreOptions
  extends Pick<RedisStoreOptions, 'prefix' | 'commandTimeout' | 'onClose' | 'referenceClock'> {
  /** The clock that credentials are judged by. It is compared with Redis' clock. Defaults to the system's. */
  readonly clock?: Clock
  /** How many revocations this process keeps at most. A million by default. */
  readonly maxRevocations?: number | undefined
  /** How long to wait for a replica that has left, in ms. 10 000 by default. */
  readonly replicasMissedFor?: number
}

const MAX_REVOCATIONS = 1_000_000
/** More than will ever occur, because each one belongs to a lost list. */
const RETIRED_MAX = 1000

/**
 * State in Redis, with a copy of the revocation list in this process. While its feed is healthy, `isLive` answers
 * from the copy, without a promise. Otherwise it asks Redis. `generation` always comes from Redis.
 */
export class FollowedStore extends RedisStore {
  readonly feed: RevocationFeed
  /** Compares this instance's clock with Redis' clock. */
  readonly clock: RedisClock
  readonly #list: RevocationList
  readonly #recent: RecentRevocations
  /** Generations that are no longer the list's, by an answer of Redis. Only a restored backup makes one current again. */
  readonly #retired = new Set<number>()

  /** @throws OPTION_INVALID */
  constructor(client: RedisClient, options: FollowedStoreOptions = {}) {
    const { prefix = PREFIX, commandTimeout = COMMAND_TIMEOUT, maxRevocations = MAX_REVOCATIONS } = options
    const { clock: now = Date.now, referenceClock, replicasMissedFor: missedFor } = options
    const keys = revocationKeys(prefix)
    const list = new RevocationList(checkWhole('maxRevocations', maxRevocations, 1))
    const recent = new RecentRevocations()
    const replicas = new RedisReplicas(client, keys, { timeout: commandTimeout, missedFor })
    const clock = new RedisClock({ clock: now, referenceClock })
    const feed = new RevocationFeed({ client, keys, list, clock })
    const onClose = async () => {
      feed.close()
      replicas.close()
      await options.onClose?.()
    }
    // This process knows its own revocations before the caller gets an answer.
    const onRevoked = (revocation: Revocation) => {
      const [member, score, keep] = revocation
      list.put(member, score, Number(keep))
      recent.note(revocation)
    }
    const onShortened = (signInId: string, until: number) => {
      const [name, score] = shortenedEnd(signInId, until)
      list.put(name, score, 0)
      recent.note(endedSignIn(signInId, until))
    }
    super(client, { prefix, commandTimeout, onClose, replicas, referenceClock, onRevoked, onShortened })
    feed.onChange(({ kind }) => kind === 'feed_restored' && void this.#remind())
    this.feed = feed
    this.clock = clock
    this.#list = list
    this.#recent = recent
  }

  override isLive(ref: SignInRef): MaybePromise<boolean> {
    const verdict = this.#list.judge(ref)
    // An end is final, whatever else this process does not know yet.
    if (verdict === 'ended') return false
    if (this.clock.isBehind) throw clockFault()
    if (!this.feed.healthy() || !this.#list.complete) return super.isLive(ref)
    return verdict === 'live' || this.#isLiveElsewhere(ref)
  }

  /** Asks Redis in any case: nobody needs this while the copy can be trusted. */
  override async areLive(refs: readonly SignInRef[]): Promise<readonly boolean[]> {
    if (this.clock.isBehind) throw clockFault()
    const live = await super.areLive(refs)
    return refs.map((ref, index) => live[index] === true && this.#list.judge(ref) !== 'ended')
  }

  onRevoked(listener: () => void): () => void {
    return this.#list.onRevoked(listener)
  }

  override revision(): number {
    const isWhole = this.#list.complete && !this.clock.isBehind
    return isWhole && this.feed.healthy() ? this.#list.revision : UNKNOWN_REVISION
  }

  /** Refuses while the clocks differ: the limits of the sign-in would be wrong. */
  override async addSignIn(record: SignInRecord): Promise<number> {
    this.#refuseWhileOff()
    return super.addSignIn(record)
  }

  /** A refresh issues credentials too. */
  override async rotateRefresh(accountId: string, id: string, rotation: Rotation): Promise<RotationResult> {
    this.#refuseWhileOff()
    return super.rotateRefresh(accountId, id, rotation)
  }

  /** If this clock is behind, `until` is too early, and others would drop the revocation. */
  override endSignIn(accountId: string, id: string, until: number): Promise<boolean> {
    return super.endSignIn(accountId, id, until + Math.max(0, this.clock.difference))
  }

  override raiseEpoch(accountId: string, epoch: number, spared: string | null, until: number): Promise<void> {
    return super.raiseEpoch(accountId, epoch, spared, until + Math.max(0, this.clock.difference))
  }

  /** If this clock is ahead, sign-ins that look expired here are live elsewhere. */
  override endSignIns(
    accountId: string,
    except: string | null,
    now: number,
    belowEpoch?: number,
  ): Promise<string[]> {
    return super.endSignIns(accountId, except, now + Math.min(0, this.clock.difference), belowEpoch)
  }

  /** While the clocks differ, it would be forgotten too early. */
  override async spendOnce(key: string, until: number, now: number): Promise<boolean> {
    this.#refuseWhileOff()
    return super.spendOnce(key, until, now)
  }

  override async ping(): Promise<void> {
    await super.ping()
    this.#refuseWhileOff()
  }

  /** Drops nothing while the clocks differ. */
  override async sweep(now: number): Promise<void> {
    if (this.clock.isOff) return
    // Sweep the recent ones first. Otherwise a dropped revocation could be written again.
    this.#recent.sweep(now - CLOCK_MARGIN)
    await this.#list.sweep(await this.collect(now))
    if (this.#list.hasShrunk) this.feed.reload()
  }

  /** @throws STORE_UNAVAILABLE */
  #refuseWhileOff(): void {
    if (this.clock.isOff) throw clockFault()
  }

  /**
   * Writes the recent revocations again: a failover may have interrupted the feed and lost them. If that fails, the
   * feed will be interrupted again, and this is repeated.
   */
  async #remind(): Promise<void> {
    for (const batch of this.#recent.batches()) await this.revokeAgain(batch).catch(() => {})
  }

  /** For a credential of another generation. Either that list was lost, or the feed has not announced it yet. */
  #isLiveElsewhere(ref: SignInRef): MaybePromise<boolean> {
    if (this.#retired.has(ref.generation)) return false
    return this.look(ref).then(({ isLive, generation }) => {
      if (generation !== ref.generation) {
        if (this.#retired.size >= RETIRED_MAX) this.#retired.clear()
        this.#retired.add(ref.generation)
      }
      return isLive
    })
  }
}

function clockFault(): Error {
  return redisFault(new Error('The clock differs from that of Redis by more than an hour'))
}
