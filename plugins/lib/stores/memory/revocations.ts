import type { SignInRef } from '../../contract.js'
import { newGeneration } from '../rules.js'

/** What raising an epoch leaves behind. `until` in ms. */
interface RaisedEpoch {
  readonly epoch: number
  readonly until: number
  /** Sign-ins that the raise to exactly this epoch spared. */
  readonly spared: ReadonlySet<string>
}

/** The revocation list of the memory store. */
export class MemoryRevocations {
  readonly generation = newGeneration()
  readonly #ended = new Map<string, number>()
  readonly #epochs = new Map<string, RaisedEpoch>()

  isLive(ref: SignInRef): boolean {
    if (ref.generation !== this.generation || this.#ended.has(ref.signInId)) return false
    const raised = this.#epochs.get(ref.accountId)
    return !raised || ref.epoch >= raised.epoch || raised.spared.has(ref.signInId)
  }

  end(signInId: string, until: number): void {
    this.#ended.set(signInId, Math.max(until, this.#ended.get(signInId) ?? 0))
  }

  raise(accountId: string, epoch: number, spared: string | null, until: number): void {
    const known = this.#epochs.get(accountId) ?? { epoch: -1, until: 0, spared: new Set<string>() }
    const kept = epoch > known.epoch ? [] : known.spared
    const added = spared !== null && epoch >= known.epoch ? [spared] : []
    this.#epochs.set(accountId, {
      epoch: Math.max(epoch, known.epoch),
      until: Math.max(until, known.until),
      spared: new Set([...kept, ...added]),
    })
  }

  /** Drops what was to be kept until `upTo` (ms). */
  sweep(upTo: number): void {
    for (const [id, until] of this.#ended) if (upTo >= until) this.#ended.delete(id)
    for (const [id, { until }] of this.#epochs) if (upTo >= until) this.#epochs.delete(id)
  }
}
