import type { SignIns } from '../../sign-ins.js'
import type { Clock } from '../contract.js'
import type { SessionSignIn } from './content.js'
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

/** What a session leaves to the one that a sign-in puts in its place. */
export interface Legacy {
  /** Of its record, if there is one. */
  readonly key: string | null
  readonly signIn: SessionSignIn | null
  readonly data: Record<string, unknown>
}
