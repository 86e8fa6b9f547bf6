import type { Test } from 'tap'
import type { CredentialCenter, Kind } from '../helpers/credential-kinds.js'

/** What holds against one attacker, for one kind of credential. */
export type Cell = (t: Test, center: CredentialCenter, kind: Kind) => Promise<void>

/** One line of the table "Who attacks, and what holds" in SECURITY.md. */
export interface Row {
  /** For each kind that `instead` does not name. */
  readonly every: Cell
  readonly instead?: Partial<Record<Kind, Cell>>
  readonly env?: (t: Test) => Promise<Record<string, string>>
}
