import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Claims } from '../contract.js'
import type { SessionRecord, SignInRecord } from './contract.js'

/* How records are written as rows: the values in the order of the columns in sqlite-statements.ts. */

const TextOrNull = Type.Union([Type.String(), Type.Null()])
const NumberOrNull = Type.Union([Type.Number(), Type.Null()])
const WHO = [Type.String(), Type.String(), Type.String()] as const
const COUNTERS_AND_TIMES = [
  Type.Number(),
  Type.Number(),
  Type.Number(),
  Type.Number(),
  Type.Number(),
  Type.Number(),
] as const
const DETAILS = [Type.String(), Type.String(), TextOrNull] as const
const REFRESH = [NumberOrNull, TextOrNull, NumberOrNull] as const

const signInRow = Compile(Type.Tuple([...WHO, ...COUNTERS_AND_TIMES, ...DETAILS, ...REFRESH, TextOrNull]))
const sessionRow = Compile(Type.Tuple([Type.Number(), Type.String(), Type.Number(), Type.Number()]))
const livenessRow = Compile(Type.Tuple([NumberOrNull, Type.Number(), NumberOrNull, NumberOrNull]))
const generationRow = Compile(Type.Tuple([Type.Number()]))
const claimsCheck = Compile(Type.Unsafe<Claims>(Type.Record(Type.String(), Type.Unknown())))

function readClaims(text: string | null): Claims | null {
  const value: unknown = text === null ? null : JSON.parse(text)
  return claimsCheck.Check(value) ? value : null
}

export function writeSignIn(record: SignInRecord): (string | number | null)[] {
  const { refresh, claims } = record
  return [
    ...[record.accountId, record.id, record.mode, record.epoch, record.generation],
    ...[record.createdAt, record.lastSeenAt, record.idleExpiresAt, record.absoluteExpiresAt],
    ...[record.ip, record.userAgent, record.sessionKey],
    ...(refresh ? [refresh.counter, refresh.keyId, refresh.rotatedAt] : [null, null, null]),
    claims && JSON.stringify(claims),
  ]
}

/** Null where there is no row. */
export function readSignIn(row: unknown): SignInRecord | null {
  if (!signInRow.Check(row)) return null
  const [accountId, id, mode, epoch, generation, createdAt, lastSeenAt, ...rest] = row
  const [idleExpiresAt, absoluteExpiresAt, ip, userAgent, sessionKey, ...more] = rest
  const [counter, keyId, rotatedAt, claims] = more
  const hasRefresh = counter !== null && keyId !== null && rotatedAt !== null
  return Object.freeze({
    ...{ id, accountId, mode, epoch, generation, createdAt, lastSeenAt, idleExpiresAt, absoluteExpiresAt },
    ...{ ip, userAgent, sessionKey },
    refresh: hasRefresh ? Object.freeze({ counter, keyId, rotatedAt }) : null,
    claims: readClaims(claims),
  })
}

export function writeSession(record: SessionRecord): (string | number)[] {
  return [record.version, record.sealed, record.idleExpiresAt, record.absoluteExpiresAt]
}

/** Null where there is no row. */
export function readSession(row: unknown): SessionRecord | null {
  if (!sessionRow.Check(row)) return null
  const [version, sealed, idleExpiresAt, absoluteExpiresAt] = row
  return Object.freeze({ version, sealed, idleExpiresAt, absoluteExpiresAt })
}

/** What the revocation list says of one sign-in. */
export interface Liveness {
  readonly generation: number | null
  readonly ended: boolean
  /** The account's raised epoch, and the one that spared this sign-in; -1 where there is none. */
  readonly raised: number
  readonly spared: number
}

const UNKNOWN: Liveness = Object.freeze({ generation: null, ended: true, raised: -1, spared: -1 })

/** Whatever cannot be read fails closed. */
export function readLiveness(row: unknown): Liveness {
  if (!livenessRow.Check(row)) return UNKNOWN
  const [generation, ended, raised, spared] = row
  return { generation, ended: ended !== 0, raised: raised ?? -1, spared: spared ?? -1 }
}

/** Null where the row is missing. */
export function readGeneration(row: unknown): number | null {
  return generationRow.Check(row) ? row[0] : null
}
