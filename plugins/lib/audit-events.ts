import type { FactorMethod } from './contract.js'

/* The types of audit events. `audit.ts` reports them. */

/**
 * Who ended a sign-in: its own client (`self`), its account from another sign-in (`owner`), an administrator
 * (`admin`), a rule of the suite (`suite`), or code of the application.
 */
export type EndedBy = 'self' | 'owner' | 'admin' | 'suite' | 'application'

/**
 * Why a sign-in was ended: somebody asked for it, its client signed in again, the account had too many, or a refresh
 * token was used twice.
 */
export type EndReason = 'asked' | 'replaced' | 'cap' | 'refresh_reuse'

/**
 * Why the proof of a bound sign-in was refused: there was none, it was not valid for the request, it was used before,
 * or another key made it.
 */
export type ProofRefusal = 'missing' | 'invalid' | 'spent' | 'other_key'

/**
 * Why a second factor was refused: it is wrong, it was used before, or the server has lost the key that opens it. Passkeys:
 * it answers another challenge, or one that has expired (`challenge`); its counter did not grow (`cloned`).
 */
export type FactorRefusal = 'wrong' | 'used' | 'key_lost' | 'challenge' | 'cloned'

/**
 * Who created or changed an account. Nobody is signed in at the command line, at a registration, or with the token of a mail
 * (`recovery`).
 */
export type ChangedBy = 'owner' | 'admin' | 'command_line' | 'registration' | 'recovery'

interface OfSignIn {
  readonly accountId: string
  readonly signInId: string
}

interface OfMode extends OfSignIn {
  readonly mode: string
}

interface OfFactor {
  readonly accountId: string
  readonly kind: 'totp' | 'passkey' | 'recovery_code'
}

interface OfStoredFactor extends OfFactor {
  readonly factorId: string
}

interface OfAccount {
  readonly accountId: string
  readonly by: ChangedBy
  readonly actorId: string | null
}

/** The fields of each type of event, besides time and address: ids, counters and words, never a credential. */
export interface AuditDetails {
  signed_in: {
    readonly accountId: string
    /** Null if the mode keeps no record of its sign-ins. */
    readonly signInId: string | null
    readonly mode: string
  }
  /** A signed-in person verified again. The sign-in has another factor, or is recent again. */
  stepped_up: OfMode & { readonly factors: readonly FactorMethod[] }
  /** From now on, the credentials of the sign-in need proofs by the key of its client. */
  sign_in_bound: OfMode
  /** A genuine credential of a bound sign-in came without a good proof: it may be stolen. */
  proof_refused: OfMode & { readonly reason: ProofRefusal }
  /**
   * Without a username, because people type passwords into that field. Without an account: like the answer, the event
   * must not depend on whether the account exists.
   */
  sign_in_refused: { readonly mode: string; readonly reason: 'credentials' | 'passkey' }
  /** The password was right, and the account has a second factor. The sign-in is pending. */
  second_factor_asked: { readonly accountId: string; readonly mode: string }
  /** A passkey's answer was refused, because its signature counter did not grow. Somebody may have copied the key. */
  passkey_cloned: { readonly accountId: string; readonly kind: 'passkey'; readonly factorId: string }
  /** An attempt was refused before it was verified, because too many have failed. It has no username either. */
  throttled: {
    /** The kind of attempt: `sign_in`, `password`, `factor`, `passkey`, `refresh`, `register`, or a word of the application. */
    readonly what: string
    /** The limit that refused it. */
    readonly by: 'account' | 'address' | 'pair' | 'device'
    /** The account of the request's credential or device cookie; null if it had none, whatever name was typed. */
    readonly accountId: string | null
  }
  /** A signed-in person gave a wrong current password. */
  password_refused: OfMode
  /** The client handed its credential back. */
  signed_out: OfMode
  /** The sign-in ended in any other way, except by its account's epoch. */
  sign_in_ended: OfSignIn & {
    readonly by: EndedBy
    readonly why: EndReason
    /** The account that asked for it. Null if no account did. */
    readonly actorId: string | null
  }
  /** `repeated`: a retry of the last refresh, which got the same successor again. */
  refreshed: OfMode & { readonly outcome: 'rotated' | 'repeated' }
  /** An old refresh token was used again: theft, or a copy. The `sign_in_ended` of its sign-in follows. */
  refresh_reuse_detected: OfMode
  /** All sign-ins of the account that began under a lower epoch are over, except the spared one. */
  epoch_raised: {
    readonly accountId: string
    readonly epoch: number
    readonly spared: string | null
    /** How many records were ended. */
    readonly ended: number
  }
  account_created: OfAccount & { readonly role: string }
  /** An `epoch_raised` of the account tells how many sign-ins that ended. A new address (`email`) ends none. */
  account_changed: OfAccount & {
    readonly changed: 'password' | 'role' | 'disabled' | 'email'
    /** The new role, `true` or `false`; null for a password or an address. */
    readonly to: string | boolean | null
  }
  /**
   * No sign-in ends with it. It is no `account_changed`, so that many of them do not push out the changes that matter.
   * Without the name, because people type passwords into the wrong field.
   */
  profile_changed: OfAccount & { readonly changed: 'display_name' }
  /** Also for new recovery codes: all codes of an account are one factor. */
  factor_added: OfStoredFactor
  factor_renamed: OfStoredFactor
  factor_removed: OfStoredFactor
  /** All second factors of the account were removed. */
  factors_reset: OfAccount & { readonly removed: number }
  /** `failures`: the number of refused factors of the account in a row, from all clients. */
  factor_refused: OfFactor & { readonly reason: FactorRefusal; readonly failures: number }
  /** From now on this process asks the store on each request. */
  feed_lost: { readonly reason: string }
  feed_restored: { readonly reason: string }
}

export type AuditType = keyof AuditDetails

/** An event as it is passed to `emit`. */
export type AuditReport = { [T in AuditType]: { readonly type: T } & AuditDetails[T] }[AuditType]

/** An event as listeners receive it. Frozen. */
export type AuditEvent = AuditReport & {
  /** By the injected clock, in ms. */
  readonly time: number
  /** The client's address; null without a request. */
  readonly ip: string | null
}

export type Level = 'debug' | 'info' | 'warn'

interface Shape<T extends AuditType> {
  readonly level: Level
  readonly fields: { readonly [F in keyof AuditDetails[T]]-?: true }
}

const OF_SIGN_IN = { accountId: true, signInId: true } as const
const OF_MODE = { ...OF_SIGN_IN, mode: true } as const
const OF_FACTOR = { accountId: true, kind: true } as const
const OF_STORED = { ...OF_FACTOR, factorId: true } as const
const BY = { by: true, actorId: true } as const

/** The level and the fields of each type. */
export const SHAPES: { readonly [T in AuditType]: Shape<T> } = {
  signed_in: { level: 'info', fields: OF_MODE },
  stepped_up: { level: 'info', fields: { ...OF_MODE, factors: true } },
  sign_in_bound: { level: 'info', fields: OF_MODE },
  proof_refused: { level: 'info', fields: { ...OF_MODE, reason: true } },
  sign_in_refused: { level: 'info', fields: { mode: true, reason: true } },
  second_factor_asked: { level: 'info', fields: { accountId: true, mode: true } },
  passkey_cloned: { level: 'warn', fields: { accountId: true, kind: true, factorId: true } },
  throttled: { level: 'info', fields: { what: true, by: true, accountId: true } },
  password_refused: { level: 'info', fields: OF_MODE },
  signed_out: { level: 'info', fields: OF_MODE },
  sign_in_ended: { level: 'info', fields: { ...OF_SIGN_IN, ...BY, why: true } },
  refreshed: { level: 'debug', fields: { ...OF_MODE, outcome: true } },
  refresh_reuse_detected: { level: 'warn', fields: OF_MODE },
  epoch_raised: { level: 'info', fields: { accountId: true, epoch: true, spared: true, ended: true } },
  account_created: { level: 'info', fields: { accountId: true, role: true, ...BY } },
  account_changed: { level: 'info', fields: { accountId: true, changed: true, to: true, ...BY } },
  profile_changed: { level: 'info', fields: { accountId: true, changed: true, ...BY } },
  factor_added: { level: 'info', fields: OF_STORED },
  factor_renamed: { level: 'info', fields: OF_STORED },
  factor_removed: { level: 'info', fields: OF_STORED },
  factors_reset: { level: 'info', fields: { accountId: true, removed: true, ...BY } },
  factor_refused: { level: 'info', fields: { ...OF_FACTOR, reason: true, failures: true } },
  feed_lost: { level: 'warn', fields: { reason: true } },
  feed_restored: { level: 'warn', fields: { reason: true } },
}

/** Every type, with its log level and its fields besides `type`, `time` and `ip`. */
export const AUDIT_TYPES: ReadonlyMap<string, { readonly level: Level; readonly fields: readonly string[] }> =
  new Map(
    Object.entries(SHAPES).map(([type, { level, fields }]) => [type, { level, fields: Object.keys(fields) }]),
  )
