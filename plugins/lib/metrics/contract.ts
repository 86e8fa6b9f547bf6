import type { HashQueue } from '../accounts/hash-queue.js'
import type { Audit } from '../audit.js'
import type { AuthMode } from '../contract.js'
import type { StateStore } from '../stores/contract.js'

/**
 * The parts of the suite hand themselves over when they start, and use the returned, measured ones in their place.
 * Without metrics nothing is wrapped or measured.
 */
export interface Meters {
  store(store: StateStore): StateStore
  mode(mode: AuthMode): AuthMode
  audit(audit: Audit): void
  /** @returns a function that stops measuring: the queue may outlive the application */
  hashes(queue: HashQueue): () => void
}

/** The metrics of one application. */
export interface IdentityMetrics {
  /** The content type of the answer. */
  readonly contentType: string
  /** All metrics in Prometheus' text format. They are in memory: no store is asked. */
  text(): Promise<string>
  /** For the suite's own plugins. */
  readonly meters: Meters
}
