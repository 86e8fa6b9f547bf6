import type { HashQueue } from '../accounts/hash-queue.js'
import type { Audit } from '../audit.js'
import type { AuthMode } from '../contract.js'
import type { StateStore } from '../stores/contract.js'

/**
 * What the parts of the suite hand over as they come, where there are metrics, and what they get back to use in its
 * place. Where there are none, nothing is wrapped, and nothing measured.
 */
export interface Meters {
  store(store: StateStore): StateStore
  mode(mode: AuthMode): AuthMode
  audit(audit: Audit): void
  /** @returns what ends that: the queue may outlive the application */
  hashes(queue: HashQueue): () => void
}

/** The metrics of one application. */
export interface IdentityMetrics {
  /** For the answer that holds them. */
  readonly contentType: string
  /** All of them, in Prometheus' text format. What is told is in memory: no store is asked. */
  text(): Promise<string>
  /** For the suite's own plugins. */
  readonly meters: Meters
}
