import type { RefreshState, SessionRecord, SignInRecord } from '../contract.js'
import { claimsOrNull, list, text, textOrNull, whole } from '../narrow.js'

/*
 * Records in Redis are text with numbers in base 36. No other format that scripts can read needs less memory.
 * sign-in:  <idle>,<last seen>,<absolute>,<refresh>\n<JSON of the fields that never change>   refresh:
 * <counter>,<rotated at>,<key id>, or nothing   session:  <version>,<idle>,<absolute>\n<sealed> Account and id of a
 * sign-in are in the key and the field. A binding is written once, as the last of the fields: a list of its own, so
 * that a script can tell and append it without parsing JSON. Versions before 0.3 skip it.
 */

/** A whole number from 0 to 2^53 - 1. */
export function base36(value: number): string {
  return value.toString(36)
}

/** @throws TypeError for a text that `base36` did not write */
function fromBase36(digits: string): number {
  const value = Number.parseInt(digits, 36)
  if (!Number.isSafeInteger(value) || base36(value) !== digits)
    throw new TypeError('A stored number is no number')
  return value
}

/** JSON, so that no key id can hold a line break. */
export function encodeRefresh({ counter, keyId, rotatedAt }: RefreshState): string {
  return `${base36(counter)},${base36(rotatedAt)},${JSON.stringify(keyId).slice(1, -1)}`
}

/**
 * Stands in place of claims that are in the seal. Version 0.1 cannot read it, and refuses to refresh. Otherwise 0.1
 * would issue a token without the claims, although they may restrict the user's rights.
 */
const SEALED = 1
/** See sign-ins/record-seal.ts: a seal without claims is a key id and a MAC. */
function holdsClaims(seal: SignInRecord['seal']): boolean {
  return seal?.includes('.') ?? false
}

/** How the fields that never change hold a binding. */
export function encodeBinding(binding: string): string {
  return JSON.stringify([binding])
}

/** The seal, followed by the binding. Without a seal, an empty text takes its place. */
function encodeLast({ seal, binding }: SignInRecord): unknown[] {
  if (typeof binding === 'string') return [seal ?? '', [binding]]
  return seal ? [seal] : []
}

/** The fields that never change, except that the binding is added once. */
export function encodeFixed(record: SignInRecord): string {
  return JSON.stringify([
    record.mode,
    record.epoch,
    base36(record.generation),
    base36(record.createdAt),
    record.ip,
    record.userAgent,
    record.sessionKey,
    record.claims ?? (holdsClaims(record.seal) ? SEALED : null),
    ...encodeLast(record),
  ])
}

export function encodeSignIn(record: SignInRecord): string {
  const { idleExpiresAt, lastSeenAt, absoluteExpiresAt, refresh } = record
  const times = [idleExpiresAt, lastSeenAt, absoluteExpiresAt].map(base36).join(',')
  return `${times},${refresh ? encodeRefresh(refresh) : ''}\n${encodeFixed(record)}`
}

const REFRESH = /^(\w+),(\w+),(.*)$/

/** @throws SyntaxError, TypeError */
function decodeRefresh(encoded: string): RefreshState | null {
  if (encoded === '') return null
  const [, counter, rotatedAt, keyId] = REFRESH.exec(encoded) ?? []
  return Object.freeze({
    counter: fromBase36(text(counter)),
    keyId: text(JSON.parse(`"${text(keyId)}"`)),
    rotatedAt: fromBase36(text(rotatedAt)),
  })
}

/** @throws TypeError */
function decodeLast([seal = '', binding]: readonly unknown[]): Pick<SignInRecord, 'seal' | 'binding'> {
  return {
    ...(seal === '' ? {} : { seal: text(seal) }),
    ...(binding === undefined ? {} : { binding: text(list(binding)[0]) }),
  }
}

/** @throws SyntaxError, TypeError */
function decodeFixed(json: string) {
  const [mode, epoch, generation, createdAt, ip, userAgent, sessionKey, claims, ...last] = list(
    JSON.parse(json),
  )
  return {
    mode: text(mode),
    epoch: whole(epoch),
    generation: fromBase36(text(generation)),
    createdAt: fromBase36(text(createdAt)),
    ip: text(ip),
    userAgent: text(userAgent),
    sessionKey: textOrNull(sessionKey),
    claims: claims === SEALED ? null : claimsOrNull(claims),
    ...decodeLast(last),
  }
}

const SIGN_IN = /^(\w+),(\w+),(\w+),([^\n]*)\n(.*)$/s

/** Null for a text that `encodeSignIn` did not write: an unreadable record counts as absent. */
export function decodeSignIn(accountId: string, id: string, encoded: string): SignInRecord | null {
  const [, idle, seen, absolute, refresh, fixed] = SIGN_IN.exec(encoded) ?? []
  try {
    return Object.freeze({
      ...{ id, accountId, ...decodeFixed(text(fixed)) },
      lastSeenAt: fromBase36(text(seen)),
      idleExpiresAt: fromBase36(text(idle)),
      absoluteExpiresAt: fromBase36(text(absolute)),
      refresh: decodeRefresh(text(refresh)),
    })
  } catch {
    return null
  }
}

export function encodeSession({ version, idleExpiresAt, absoluteExpiresAt, sealed }: SessionRecord): string {
  return `${[version, idleExpiresAt, absoluteExpiresAt].map(base36).join(',')}\n${sealed}`
}

const SESSION = /^(\w+),(\w+),(\w+)\n(.*)$/s

/** Null for a text that `encodeSession` did not write. */
export function decodeSession(encoded: string): SessionRecord | null {
  const [, version, idle, absolute, sealed] = SESSION.exec(encoded) ?? []
  try {
    return Object.freeze({
      version: fromBase36(text(version)),
      sealed: text(sealed),
      idleExpiresAt: fromBase36(text(idle)),
      absoluteExpiresAt: fromBase36(text(absolute)),
    })
  } catch {
    return null
  }
}
