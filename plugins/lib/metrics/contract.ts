import type { HashQueue } from '../accounts/hash-queue.js'
import type { Audit } from '../audit.js'
import type { AuthMode } from '../contract.js'
import type { Connections } from '../live/connections.js'
import type { StateStore } from '../stores/contract.js'

/** At their start, the parts of the suite replace themselves by the returned, measured ones. */
export interface Meters {
  store(store: StateStore): StateStore
  mode(mode: AuthMode): AuthMode
  audit(audit: Audit): void
  live(connections: Connections): void
  /** @param size the number of remembered proofs */
  proofs(size: () => number): void
  /** @returns a function that stops measuring: the queue may outlive the application */
  hashes(queue: HashQueue): () => void
}

/** The metrics of one application. */
export interface IdentityMetrics {
  readonly contentType: string
  /** All metrics in Prometheus' text format. No store lookup. */
  text(): Promise<string>
  /** For the suite's own plugins. */
  readonly meters: Meters
}
