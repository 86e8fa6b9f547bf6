import type { Audit } from '../audit.js'
import type { Clock } from '../contract.js'
import type { PurposeKeys } from '../credentials/keys.js'
import type { SignIns } from '../sign-ins/contract.js'
import type { Bindings } from './bindings.js'
import type { Challenges } from './challenges.js'
import type { DeviceCodes } from './codes.js'

/** Checked options. */
export interface DeviceSettings {
  /** Whether a sign-in that is not bound after 75 seconds is refused. */
  readonly isRequired: boolean
  /** Before `/register` and `/refresh`. No slash at its end. */
  readonly path: string
  /** Whether a sign-out also clears the site's storage in the browser. */
  readonly clearSiteData: boolean
  /** Paths that need no proof, with all below them. */
  readonly excluded: readonly string[]
}

/** What the parts of device binding share. */
export interface DeviceParts {
  readonly settings: DeviceSettings
  readonly codes: DeviceCodes
  readonly challenges: Challenges
  readonly bindings: Bindings
  readonly proofKeys: PurposeKeys
  readonly signIns: Pick<SignIns, 'isLive' | 'revision' | 'find' | 'settleBinding'>
  readonly audit: Pick<Audit, 'emit'>
  readonly clock: Clock
}

export const registerPathOf = ({ path }: DeviceSettings) => `${path}/register`
export const refreshPathOf = ({ path }: DeviceSettings) => `${path}/refresh`
