import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SignInRef } from '../contract.js'
import { ownText } from '../own-text.js'

/** An account's raised epoch. */
interface RaisedEpoch {
  /** -1 while only its `t:` or `p:` entries are known. */
  epoch: number
  /** In ms. 0: not known yet. */
  until: number
  /** By sign-in: the highest epoch that spared it. */
  spared: Map<string, number> | null
}

/** `foreign`: the credential is of another generation, about which this list says nothing. */
export type Verdict = 'live' | 'ended' | 'foreign'

/** How many entries a sweep checks before it yields to the event loop. */
const SWEEP_BATCH = 20_000

/**
 * The live revocations, in this process's memory. It drops an entry only when the entry's time has passed or a new list
 * replaces this one. So a revocation that Redis lost (in a failover to a replica that was behind) stays in force.
 */
export class RevocationList {
  readonly #max: number
  readonly #ended = new Map<string, number>()
  readonly #epochs = new Map<string, RaisedEpoch>()
  #spared = 0
  #generation: number | null = null
  #complete = true
  #revision = 0
  readonly #listeners = new Set<() => void>()
  #isToTell = false

  /** @param max how many entries are kept; beyond that the list is incomplete, and its `live` cannot be trusted */
  constructor(max: number) {
    this.#max = max
  }

  get generation(): number | null {
    return this.#generation
  }

  get size(): number {
    return this.#ended.size + this.#epochs.size + this.#spared
  }

  /**
   * Changes with every added entry. While it stays the same and the list is complete, a sign-in that `judge` called
   * live is still live.
   */
  get revision(): number {
    return this.#revision
  }

  /**
   * Calls the listener after entries were added, at most once in a turn of the event loop.
   * @returns a function that ends the subscription
   */
  onRevoked(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Whether all entries fitted. If not, a sign-in that is missing here may still have been revoked. */
  get complete(): boolean {
    return this.#complete
  }

  /** Whether reading the list again may make it complete. */
  get hasShrunk(): boolean {
    return !this.#complete && this.size < this.#max * 0.9
  }

  /** Continues with the list of that generation. Drops all entries if the generation is a new one. */
  adopt(generation: number): void {
    if (generation !== this.#generation) {
      this.#ended.clear()
      this.#epochs.clear()
      this.#spared = 0
    }
    this.#generation = generation
    this.#complete = true
    this.#noteChange()
  }

  judge({ accountId, signInId, epoch, generation }: SignInRef): Verdict {
    if (generation !== this.#generation) return 'foreign'
    if (this.#ended.has(signInId)) return 'ended'
    const raised = this.#epochs.get(accountId)
    if (!raised || epoch >= raised.epoch) return 'live'
    return (raised.spared?.get(signInId) ?? -1) >= raised.epoch ? 'live' : 'ended'
  }

  /**
   * Adds a member of the list (see stores/redis/revocation-scripts.ts). Members may come repeatedly and in any order:
   * the strictest wins. Exception: if the feed shortens the time of an end, the shorter time counts from then on.
   * @param keep for epochs: until when they are kept (ms). 0 if that comes as a separate member
   */
  put(member: string, score: number, keep: number): void {
    this.#noteChange()
    const kind = member.slice(0, 2)
    if (kind === 's:') this.#end(member.slice(2), score)
    else if (kind === 'c:') this.#shorten(member.slice(2), score)
    else if (kind === 'e:') this.#raise(member.slice(2), -score, keep)
    else if (kind === 'p:') this.#spare(member, -score)
    else if (kind === 't:' && member[2] === 'e') this.#raise(member.slice(4), -1, score)
  }

  /** Drops entries that were to be kept until `upTo` (ms) at most. */
  async sweep(upTo: number): Promise<void> {
    let looked = 0
    for (const [id, until] of this.#ended) {
      if (upTo >= until) this.#ended.delete(id)
      if (++looked % SWEEP_BATCH === 0) await nextTurn()
    }
    for (const [id, { until, spared }] of this.#epochs) {
      if (until > 0 && upTo >= until && this.#epochs.delete(id)) this.#spared -= spared?.size ?? 0
      if (++looked % SWEEP_BATCH === 0) await nextTurn()
    }
  }

  #noteChange(): void {
    this.#revision++
    if (this.#isToTell || this.#listeners.size === 0) return
    this.#isToTell = true
    setImmediate(() => {
      this.#isToTell = false
      for (const listener of this.#listeners) listener()
    })
  }

  #end(signInId: string, until: number): void {
    const known = this.#ended.get(signInId)
    if (known === undefined) {
      if (this.#hasRoom()) this.#ended.set(ownText(signInId), until)
    } else if (until > known) this.#ended.set(signInId, until)
  }

  /** If this process has missed the end itself, it adds the end. */
  #shorten(signInId: string, until: number): void {
    if (until < (this.#ended.get(signInId) ?? 0)) this.#ended.set(signInId, until)
    else this.#end(signInId, until)
  }

  #raise(accountId: string, epoch: number, until: number): void {
    const raised = this.#ofAccount(accountId)
    if (!raised) return
    raised.epoch = Math.max(raised.epoch, epoch)
    raised.until = Math.max(raised.until, until)
  }

  /** `p:<length>:<account>:<sign-in>` */
  #spare(member: string, epoch: number): void {
    const start = member.indexOf(':', 2) + 1
    const end = start + Number(member.slice(2, start - 1))
    const raised = this.#ofAccount(member.slice(start, end))
    const signInId = member.slice(end + 1)
    const known = raised?.spared?.get(signInId)
    if (!raised || (known === undefined && !this.#hasRoom())) return
    raised.spared ??= new Map()
    if (known === undefined) this.#spared++
    raised.spared.set(ownText(signInId), Math.max(known ?? -1, epoch))
  }

  #ofAccount(accountId: string): RaisedEpoch | null {
    const known = this.#epochs.get(accountId)
    if (known) return known
    if (!this.#hasRoom()) return null
    const raised = { epoch: -1, until: 0, spared: null }
    this.#epochs.set(ownText(accountId), raised)
    return raised
  }

  #hasRoom(): boolean {
    if (this.size >= this.#max) this.#complete = false
    return this.#complete
  }
}
