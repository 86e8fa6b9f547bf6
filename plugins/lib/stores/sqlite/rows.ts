import { endedSignIn, type Revocation, raisedEpoch } from '../../revocation/revocation.js'
import type { RefreshState, SessionRecord, SignInRecord } from '../contract.js'
import { claimsOrNull, list, number, numberOrNull, text, textOfBytes, textOrNull } from '../narrow.js'

/*
 * Records as rows: values in the order of the columns in statements.ts. A row that cannot be read means a damaged file,
 * and throws TypeError.
 */

export function writeSignIn(record: SignInRecord): (string | number | null)[] {
  const { refresh, claims } = record
  return [
    record.accountId,
    record.id,
    record.mode,
    record.epoch,
    record.generation,
    record.createdAt,
    record.lastSeenAt,
    record.idleExpiresAt,
    record.absoluteExpiresAt,
    record.ip,
    record.userAgent,
    record.sessionKey,
    ...(refresh ? [refresh.counter, refresh.keyId, refresh.rotatedAt] : [null, null, null]),
    claims && JSON.stringify(claims),
    record.seal ?? null,
    record.binding ?? null,
  ]
}

/** Null if there is no row. The account is that of the query. */
export function readSignIn(accountId: string, row: unknown): SignInRecord | null {
  if (row === undefined) return null
  const [, id, mode, epoch, generation, createdAt, lastSeenAt, ...rest] = list(row)
  const [idleExpiresAt, absoluteExpiresAt, ip, userAgent, sessionKey, ...more] = rest
  const [counter, keyId, rotatedAt, claims, seal, binding] = more
  return Object.freeze({
    ...{ id: text(id), accountId, mode: text(mode) },
    ...{ epoch: number(epoch), generation: number(generation) },
    ...{ createdAt: number(createdAt), lastSeenAt: number(lastSeenAt) },
    ...{ idleExpiresAt: number(idleExpiresAt), absoluteExpiresAt: number(absoluteExpiresAt) },
    ...{ ip: text(ip), userAgent: text(userAgent), sessionKey: textOrNull(sessionKey) },
    refresh: counter === null ? null : readRefresh(counter, keyId, rotatedAt),
    claims: claimsOrNull(claims === null ? null : JSON.parse(text(claims))),
    ...(seal === null ? {} : { seal: text(seal) }),
    ...(binding === null ? {} : { binding: text(binding) }),
  })
}

function readRefresh(counter: unknown, keyId: unknown, rotatedAt: unknown): RefreshState {
  return Object.freeze({ counter: number(counter), keyId: text(keyId), rotatedAt: number(rotatedAt) })
}

export function writeSession(record: SessionRecord): (string | number)[] {
  return [record.version, record.sealed, record.idleExpiresAt, record.absoluteExpiresAt]
}

/** Null if there is no row. */
export function readSession(row: unknown): SessionRecord | null {
  if (row === undefined) return null
  const [version, sealed, idleExpiresAt, absoluteExpiresAt] = list(row)
  return Object.freeze({
    version: number(version),
    sealed: text(sealed),
    idleExpiresAt: number(idleExpiresAt),
    absoluteExpiresAt: number(absoluteExpiresAt),
  })
}

/** The revocation list's entries for one sign-in. */
export interface Liveness {
  /** Null if the list was lost. */
  readonly generation: number | null
  readonly ended: boolean
  /** The account's raised epoch, and the one that spared this sign-in. -1 if there is none. */
  readonly raised: number
  readonly spared: number
}

export function readLiveness(row: unknown): Liveness {
  const [generation, ended, raised, spared] = list(row)
  return {
    generation: numberOrNull(generation),
    ended: number(ended) !== 0,
    raised: numberOrNull(raised) ?? -1,
    spared: numberOrNull(spared) ?? -1,
  }
}

/** The value of a row with one column. */
export function readNumber(row: unknown): number {
  return number(list(row)[0])
}

/** A row of the revocation list: its revocations, and the key from which the next page starts. */
export interface RevocationRow {
  readonly key: readonly [string, string]
  readonly revocations: readonly Revocation[]
}

export function readEnded(row: unknown): RevocationRow {
  const [bytes, , until] = list(row)
  const id = textOfBytes(bytes)
  return { key: [id, ''], revocations: [endedSignIn(id, number(until))] }
}

export function readRaised(row: unknown): RevocationRow {
  const [bytes, , epoch, until] = list(row)
  const account = textOfBytes(bytes)
  return { key: [account, ''], revocations: raisedEpoch(account, number(epoch), null, number(until)) }
}

/** A spared sign-in implies a raise to that epoch. */
export function readSpared(row: unknown): RevocationRow {
  const [accountBytes, idBytes, epoch, until] = list(row)
  const [account, id] = [textOfBytes(accountBytes), textOfBytes(idBytes)]
  return { key: [account, id], revocations: raisedEpoch(account, number(epoch), id, number(until)) }
}
