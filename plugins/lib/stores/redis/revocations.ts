import type { Clock, SignInRef } from '../../contract.js'
import {
  endedMember,
  epochMember,
  type Revocation,
  shortenedEnd,
  sparedMember,
} from '../../revocation/revocation.js'
import { list } from '../narrow.js'
import { CLOCK_MARGIN, newGeneration } from '../rules.js'
import type { RedisReplicas } from './replicas.js'
import { GENERATION, REVOKE, SHORTEN, SWEEP } from './revocation-scripts.js'
import { type RedisClient, runScript } from './scripts.js'

/** How many sign-ins one command looks up. */
const LOOK_BATCH = 500

/** How many entries one script drops. More would block Redis for too long. */
const SWEEP_BATCH = 500

/** How long Redis keeps the entry of a probe, in ms. */
const READY_KEPT = 60_000

/** The list's verdict on a sign-in. */
export interface Looked {
  readonly isLive: boolean
  /** The list's generation; null if it has none. */
  readonly generation: number | null
}

/** The keys of the list and of its feed, in one slot. */
export function revocationKeys(prefix: string): readonly [list: string, feed: string] {
  return [`${prefix}{rev}`, `${prefix}{rev}:feed`]
}

export interface RedisRevocationsOptions {
  /** The prefix of all keys. `fid:` by default. */
  readonly prefix: string
  /** Called for each revocation after it was stored, before the caller gets an answer. */
  readonly onRevoked?: ((revocation: Revocation) => void) | undefined
  /** Called when a stored end was shortened: it is kept until `until` (ms) at most. */
  readonly onShortened?: ((signInId: string, until: number) => void) | undefined
  /** If absent, a revocation counts as stored once the primary has it. */
  readonly replicas?: RedisReplicas | undefined
  /** Replaces Redis' own clock. For tests. */
  readonly referenceClock?: Clock | undefined
}

/** The result of one batch of a sweep. */
export interface Swept {
  /** Whether there may be more to drop. */
  readonly more: boolean
  /** Entries that were kept until this time (ms) are dropped. */
  readonly upTo: number
}

/** The revocation list, in one key with its marker. */
export class RedisRevocations {
  readonly keys: readonly [list: string, feed: string]

  constructor(
    private readonly client: RedisClient,
    private readonly options: RedisRevocationsOptions,
  ) {
    this.keys = revocationKeys(options.prefix)
  }

  /**
   * Writes to a key in the slot of the list. A replica refuses that, and so does a server that is out of memory or
   * cannot save. A ping would succeed on all of them.
   */
  async takeWrite(): Promise<void> {
    await this.client.set(`${this.keys[0]}:ready`, '', 'PX', READY_KEPT)
  }

  async generation(): Promise<number> {
    return -Number(await runScript(this.client, GENERATION, this.keys[0], -newGeneration()))
  }

  /** One command. A list without a marker was lost, with all its revocations. So nothing is live. */
  async look(ref: SignInRef): Promise<Looked> {
    const [marker, ...scores] = await this.client.zmscore(this.keys[0], 'g', ...membersOf(ref))
    const generation = marker == null ? null : -Number(marker)
    return { isLive: generation === ref.generation && isSpared(ref.epoch, scores), generation }
  }

  /** The same for many, in one command for each batch. */
  async areLive(refs: readonly SignInRef[]): Promise<boolean[]> {
    const live: boolean[] = []
    for (let from = 0; from < refs.length; from += LOOK_BATCH) {
      const batch = refs.slice(from, from + LOOK_BATCH)
      const [marker, ...scores] = await this.client.zmscore(this.keys[0], 'g', ...batch.flatMap(membersOf))
      const generation = marker == null ? null : -Number(marker)
      for (const [index, ref] of batch.entries()) {
        const own = scores.slice(index * MEMBERS, (index + 1) * MEMBERS)
        live.push(generation === ref.generation && isSpared(ref.epoch, own))
      }
    }
    return live
  }

  async revoke(revocations: readonly Revocation[]): Promise<void> {
    const args = revocations.flat()
    const kept = await this.options.replicas?.revoke(args)
    if (kept === undefined) await runScript(this.client, REVOKE, this.keys, ...args)
    // The primary has stored it, even if no replica has. This process refuses the sign-in from now on, although the
    // caller gets an error.
    this.tell(revocations)
    if (kept === false) throw new Error('No replica has confirmed the revocation')
  }

  /** Whether replicas must have a revocation before it counts as stored. */
  async isForReplicas(): Promise<boolean> {
    return (await this.options.replicas?.areThere()) ?? false
  }

  /** Reports stored revocations. */
  tell(revocations: readonly Revocation[]): void {
    for (const revocation of revocations) this.options.onRevoked?.(revocation)
  }

  /** Shortens a stored end: it is kept until `until` (ms) at most. If that fails, it is kept for longer. */
  async shorten(signInId: string, until: number): Promise<void> {
    const [name, score] = shortenedEnd(signInId, until)
    try {
      await runScript(this.client, SHORTEN, this.keys, endedMember(signInId), score, name)
    } catch {
      return
    }
    this.options.onShortened?.(signInId, until)
  }

  /** Writes revocations again if the list has lost them, or has a less strict entry. */
  async revokeAgain(revocations: readonly Revocation[]): Promise<void> {
    if (revocations.length === 0) return
    const scores = await this.client.zmscore(this.keys[0], ...revocations.map(([member]) => member))
    const missing = revocations.filter((revocation, index) => !holds(scores[index], revocation))
    if (missing.length > 0) await this.revoke(missing)
  }

  /** Drops one batch of entries that have expired at `now` (ms) and by Redis' clock. */
  async sweep(now: number): Promise<Swept> {
    const args = [now, SWEEP_BATCH, CLOCK_MARGIN, this.options.referenceClock?.() ?? '']
    const [dropped, upTo] = list(await runScript(this.client, SWEEP, this.keys[0], ...args))
    return { more: Number(dropped) === SWEEP_BATCH, upTo: Number(upTo) }
  }
}

/** The members of the list that say whether a sign-in is live, in the order of `isSpared`. */
function membersOf({ accountId, signInId }: SignInRef): string[] {
  return [endedMember(signInId), epochMember(accountId), sparedMember(accountId, signInId)]
}
const MEMBERS = 3

type Score = string | number | null | undefined

/** Whether a score is at least as strict: the later time, the higher epoch. */
function holds(score: Score, [, wanted, keep]: Revocation): boolean {
  if (score == null) return false
  return keep === '' ? Number(score) >= wanted : Number(score) <= wanted
}

/** Scores of the sign-in's end, its account's epoch, and the epoch that spared it. */
function isSpared(epoch: number, [ended, raised, spared]: readonly Score[]): boolean {
  if (ended != null) return false
  if (raised == null || epoch >= -Number(raised)) return true
  return spared != null && Number(spared) <= Number(raised)
}
