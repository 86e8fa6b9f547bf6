import type { Clock } from '../contract.js'
import type { SignIns } from '../sign-ins/contract.js'
import type { SessionRecords } from './records.js'
import type { SessionTtls, SessionUse } from './use.js'

/** What the parts of the session mode share. */
export interface SessionParts {
  readonly records: SessionRecords
  readonly use: SessionUse
  readonly signIns: SignIns
  readonly ttls: SessionTtls
  readonly clock: Clock
}
