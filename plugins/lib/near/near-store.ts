import type { MaybePromise, SignInRef } from '../contract.js'
import { OptionInvalid } from '../errors.js'
import type { Feed } from '../stores/contract.js'
import { PREFIX, RedisStore, type RedisStoreOptions } from '../stores/redis.js'
import { COMMAND_TIMEOUT } from '../stores/redis-client.js'
import { RedisReplicas } from '../stores/redis-replicas.js'
import { revocationKeys } from '../stores/redis-revocations.js'
import type { RedisClient } from '../stores/redis-scripts.js'
import { endedSignIn, type Revocation, shortenedEnd } from '../stores/revocation.js'
import { UNKNOWN_REVISION } from '../stores/rules.js'
import { RevocationFeed } from './feed.js'
import { RecentRevocations } from './recent-revocations.js'
import { RevocationList } from './revocation-list.js'

export interface NearStoreOptions extends Pick<RedisStoreOptions, 'prefix' | 'commandTimeout' | 'onClose'> {
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
  if (!Number.isSafeInteger(maxRevocations) || maxRevocations < 1) {
    throw new OptionInvalid('maxRevocations', 'wants a whole number, 1 or more')
  }
  const keys = revocationKeys(prefix)
  const list = new RevocationList(maxRevocations)
  const replicas = new RedisReplicas(client, keys, {
    timeout: commandTimeout,
    missedFor: options.replicasMissedFor,
  })
  const feed = new RevocationFeed({ client, keys, list })
  const onClose = async () => {
    feed.close()
    replicas.close()
    await options.onClose?.()
  }
  return new NearStore(client, { prefix, commandTimeout, onClose, replicas }, { list, feed })
}

interface Near {
  readonly list: RevocationList
  readonly feed: RevocationFeed
}

export class NearStore extends RedisStore {
  readonly feed: Feed
  readonly #list: RevocationList
  readonly #recent: RecentRevocations
  readonly #feed: RevocationFeed
  /** Generations that Redis says are not the list's. None ever becomes it again, but by a restored backup. */
  readonly #retired = new Set<number>()

  constructor(client: RedisClient, options: RedisStoreOptions, { list, feed }: Near) {
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
    this.#list = list
  }

  override isLive(ref: SignInRef): MaybePromise<boolean> {
    const verdict = this.#list.judge(ref)
    // An end is never taken back: known is known, whether or not more has become known since.
    if (verdict === 'ended') return false
    if (!this.#feed.healthy() || !this.#list.complete) return super.isLive(ref)
    return verdict === 'live' || this.#isLiveElsewhere(ref)
  }

  override revision(): number {
    return this.#feed.healthy() && this.#list.complete ? this.#list.revision : UNKNOWN_REVISION
  }

  override async sweep(now: number): Promise<void> {
    this.#recent.sweep(now)
    await super.sweep(now)
    await this.#list.sweep(now)
    if (this.#list.hasShrunk) this.#feed.reload()
  }

  /** Resolves when the feed is healthy, or `timeout` ms have passed. */
  settle(timeout: number): Promise<void> {
    return this.#feed.settle(timeout)
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
