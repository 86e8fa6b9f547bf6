import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Claims } from '../contract.js'
import type { RefreshState, SessionRecord, SignInRecord } from './contract.js'

/*
 * How records are written in Redis. Text, with numbers in base 36: it costs the least memory that scripts
 * can still read.
 *   sign-in:  <idle>,<last seen>,<absolute>,<refresh>\n<JSON of what never changes>
 *   refresh:  <counter>,<rotated at>,<key id>, or nothing
 *   session:  <version>,<idle>,<absolute>\n<sealed>
 * Account and id of a sign-in are in the key and the field.
 */

/** A whole number from 0 to 2^53 - 1. */
export function base36(value: number): string {
  return value.toString(36)
}

function fromBase36(text: string): number {
  return Number.parseInt(text, 36)
}

/** JSON, so that no key id can hold a line break. */
export function encodeRefresh({ counter, keyId, rotatedAt }: RefreshState): string {
  return `${base36(counter)},${base36(rotatedAt)},${JSON.stringify(keyId).slice(1, -1)}`
}

export function encodeSignIn(record: SignInRecord): string {
  const { idleExpiresAt, lastSeenAt, absoluteExpiresAt, refresh } = record
  const times = [idleExpiresAt, lastSeenAt, absoluteExpiresAt].map(base36).join(',')
  const fixed: Fixed = [
    record.mode,
    record.epoch,
    base36(record.generation),
    base36(record.createdAt),
    record.ip,
    record.userAgent,
    record.sessionKey,
    record.claims,
  ]
  return `${times},${refresh ? encodeRefresh(refresh) : ''}\n${JSON.stringify(fixed)}`
}

const ClaimsOrNull = Type.Unsafe<Claims | null>(
  Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
)
/** What never changes of a sign-in. */
const Fixed = Type.Tuple([
  Type.String({ title: 'mode' }),
  Type.Integer({ title: 'epoch' }),
  Type.String({ title: 'generation' }),
  Type.String({ title: 'created at' }),
  Type.String({ title: 'address' }),
  Type.String({ title: 'user agent' }),
  Type.Union([Type.String(), Type.Null()], { title: 'session key' }),
  ClaimsOrNull,
])
type Fixed = Static<typeof Fixed>
const fixedCheck = Compile(Fixed)

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const REFRESH = /^(\w+),(\w+),(.*)$/

function decodeRefresh(text: string): RefreshState | null {
  const [, counter, rotatedAt, keyId] = REFRESH.exec(text) ?? []
  const parsed = parseJson(`"${keyId}"`)
  if (!counter || !rotatedAt || typeof parsed !== 'string') return null
  return Object.freeze({
    counter: fromBase36(counter),
    keyId: parsed,
    rotatedAt: fromBase36(rotatedAt),
  })
}

const SIGN_IN = /^(\w+),(\w+),(\w+),([^\n]*)\n(.*)$/s

/** Null for a text that `encodeSignIn` did not make: unreadable is as good as absent. */
export function decodeSignIn(accountId: string, id: string, text: string): SignInRecord | null {
  const [, idle, seen, absolute, refresh, rest] = SIGN_IN.exec(text) ?? []
  if (!idle || !seen || !absolute || refresh === undefined || rest === undefined) return null
  const fixed = parseJson(rest)
  if (!fixedCheck.Check(fixed)) return null
  const [mode, epoch, generation, createdAt, ip, userAgent, sessionKey, claims] = fixed
  return Object.freeze({
    ...{ id, accountId, mode, epoch, ip, userAgent, sessionKey, claims },
    generation: fromBase36(generation),
    createdAt: fromBase36(createdAt),
    lastSeenAt: fromBase36(seen),
    idleExpiresAt: fromBase36(idle),
    absoluteExpiresAt: fromBase36(absolute),
    refresh: decodeRefresh(refresh),
  })
}

export function encodeSession({ version, idleExpiresAt, absoluteExpiresAt, sealed }: SessionRecord): string {
  return `${[version, idleExpiresAt, absoluteExpiresAt].map(base36).join(',')}\n${sealed}`
}

const SESSION = /^(\w+),(\w+),(\w+)\n(.*)$/s

/** Null for a text that `encodeSession` did not make. */
export function decodeSession(text: string): SessionRecord | null {
  const [, version, idle, absolute, sealed] = SESSION.exec(text) ?? []
  if (!version || !idle || !absolute || sealed === undefined) return null
  return Object.freeze({
    version: fromBase36(version),
    sealed,
    idleExpiresAt: fromBase36(idle),
    absoluteExpiresAt: fromBase36(absolute),
  })
}
