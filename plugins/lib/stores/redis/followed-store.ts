import type { Clock, MaybePromise, SignInRef } from '../../contract.js'
import { checkWhole } from '../../options.js'
import { RevocationList } from '../../revocation/list.js'
import { endedSignIn, type Revocation, shortenedEnd } from '../../revocation/revocation.js'
import type { Feed, Rotation, RotationResult, SignInRecord } from '../contract.js'
import { CLOCK_MARGIN, UNKNOWN_REVISION } from '../rules.js'
import { COMMAND_TIMEOUT, redisFault } from './client.js'
import { RedisClock } from './clock.js'
import { RevocationFeed } from './feed.js'
import { RecentRevocations } from './recent-revocations.js'
import { RedisReplicas } from './replicas.js'
import { revocationKeys } from './revocations.js'
import type { RedisClient } from './scripts.js'
import { PREFIX, RedisStore, type RedisStoreOptions } from './store.js'

type FromRedisStore = Pick<RedisStoreOptions, 'prefix' | 'commandTimeout' | 'onClose' | 'referenceClock'>

export interface NearStoreOptions extends FromRedisStore {
  /** The clock that credentials are judged by, which is compared with Redis' own. Defaults to the system's. */
  readonly clock?: Clock
  /** How many revocations are kept in this process at most. A million by default. */
  readonly maxRevocations?: number
  /** How long a replica that has left is still waited for, in ms. 10 000 by default. */
  readonly replicasMissedFor?: number
}

const MAX_REVOCATIONS = 1_000_000
/** More than ever come about: each is another list that was lost. */
const RETIRED_MAX = 1000

/**
 * State in Redis, with the revocation list in this process as well: `isLive` answers from it, without a promise,
 * while its feed is healthy. Where it is not, Redis is asked. `generation` always comes from Redis.
 * @throws OPTION_INVALID
 */
export function createNearStore(client: RedisClient, options: NearStoreOptions = {}): NearStore {
  const { prefix = PREFIX, commandTimeout = COMMAND_TIMEOUT, maxRevocations = MAX_REVOCATIONS } = options
  checkWhole('maxRevocations', maxRevocations, 1)
  const keys = revocationKeys(prefix)
  const list = new RevocationList(maxRevocations)
  const replicas = new RedisReplicas(client, keys, {
    timeout: commandTimeout,
    missedFor: options.replicasMissedFor,
  })
  const { clock: own = Date.now, referenceClock } = options
  const clock = new RedisClock({ clock: own, referenceClock })
  const feed = new RevocationFeed({ client, keys, list, clock })
  const onClose = async () => {
    feed.close()
    replicas.close()
    await options.onClose?.()
  }
  const all = { prefix, commandTimeout, onClose, replicas, referenceClock }
  return new NearStore(client, all, { list, feed, clock })
}

interface Near {
  readonly list: RevocationList
  readonly feed: RevocationFeed
  readonly clock: RedisClock
}

export class NearStore extends RedisStore {
  readonly feed: Feed
  /** This instance's clock as against Redis'. */
  readonly clock: RedisClock
  readonly #list: RevocationList
  readonly #recent: RecentRevocations
  readonly #feed: RevocationFeed
  /** Generations that Redis says are not the list's. None ever becomes it again, but by a restored backup. */
  readonly #retired = new Set<number>()

  constructor(client: RedisClient, options: RedisStoreOptions, { list, feed, clock }: Near) {
    const recent = new RecentRevocations()
    // Its own revocations are known here before whoever asked for them gets an answer.
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
    super(client, { ...options, onRevoked, onShortened })
    this.#recent = recent
    feed.onChange(({ kind }) => kind === 'feed_restored' && void this.#remind())
    this.feed = feed
    this.#feed = feed
    this.clock = clock
    this.#list = list
  }

  override isLive(ref: SignInRef): MaybePromise<boolean> {
    const verdict = this.#list.judge(ref)
    // An end is never taken back: known is known, whether or not more has become known since.
    if (verdict === 'ended') return false
    if (this.clock.isBehind) throw clockFault()
    if (!this.#feed.healthy() || !this.#list.complete) return super.isLive(ref)
    return verdict === 'live' || this.#isLiveElsewhere(ref)
  }

  override revision(): number {
    const isWhole = this.#list.complete && !this.clock.isBehind
    return isWhole && this.#feed.healthy() ? this.#list.revision : UNKNOWN_REVISION
  }

  /** Issues nothing while the clocks differ: its limits would be wrong. */
  override async addSignIn(record: SignInRecord): Promise<number> {
    this.#refuseWhileOff()
    return super.addSignIn(record)
  }

  /** A refresh issues as well. */
  override async rotateRefresh(accountId: string, id: string, rotation: Rotation): Promise<RotationResult> {
    this.#refuseWhileOff()
    return super.rotateRefresh(accountId, id, rotation)
  }

  /** Where this clock is behind, others would drop the revocation too early. */
  override endSignIn(accountId: string, id: string, until: number): Promise<boolean> {
    return super.endSignIn(accountId, id, until + Math.max(0, this.clock.difference))
  }

  override raiseEpoch(accountId: string, epoch: number, spared: string | null, until: number): Promise<void> {
    return super.raiseEpoch(accountId, epoch, spared, until + Math.max(0, this.clock.difference))
  }

  /** Where this clock is ahead, sign-ins that it takes for expired live elsewhere. */
  override endSignIns(
    accountId: string,
    except: string | null,
    now: number,
    belowEpoch?: number,
  ): Promise<string[]> {
    return super.endSignIns(accountId, except, now + Math.min(0, this.clock.difference), belowEpoch)
  }

  override async ping(): Promise<void> {
    await super.ping()
    this.#refuseWhileOff()
  }

  /** Drops nothing while the clocks differ. */
  override async sweep(now: number): Promise<void> {
    if (this.clock.isOff) return
    // First, so that none of them is written again when it has been dropped.
    this.#recent.sweep(now - CLOCK_MARGIN)
    const upTo = await this.collect(now)
    await this.#list.sweep(upTo)
    if (this.#list.hasShrunk) this.#feed.reload()
  }

  /** Resolves when the feed is healthy, or `timeout` ms have passed. */
  settle(timeout: number): Promise<void> {
    return this.#feed.settle(timeout)
  }

  /** @throws STORE_UNAVAILABLE */
  #refuseWhileOff(): void {
    if (this.clock.isOff) throw clockFault()
  }

  /** The feed was interrupted, maybe by a failover. Where this fails, it will be interrupted again. */
  async #remind(): Promise<void> {
    for (const batch of this.#recent.batches()) await this.revokeAgain(batch).catch(() => {})
  }

  /** Of another generation: from a list that was lost, or from one that is newer than what the feed has told. */
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
