import { createHmac, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto'
import { isFactorsText, readFactors, writeFactors } from '../credentials/given-factors.js'
import type { PurposeKeys } from '../credentials/keys.js'
import { seal, unseal } from '../session/seal.js'
import type { SignInRecord } from '../stores/contract.js'
import { claimsOrNull, whole } from '../stores/narrow.js'

/*
 * Before a store gets a sign-in's record, the fields that never change are authenticated, and its claims and factors are
 * sealed. So an attacker who can write to the store cannot change anybody's claims, factors, epoch or absolute limit. At
 * most they can restore the seal from before a step-up, which has fewer factors. The seal does not cover the fields that
 * the store changes: the last-seen time, the idle limit, the refresh counter.
 *
 * Version 0.1 wrote records without a seal. The end of an id marks sign-ins that began under a version that seals. The id
 * comes from a genuine credential, so a record whose seal was removed does not pass for an old one.
 */

const RANDOM_BYTES = 12
const MARK = Buffer.from('seal')
/** 16 bytes in base64url. The last four are the mark, which begins at a whole character. */
const MARKED = new RegExp(`^[\\w-]{16}${MARK.toString('base64url')}$`)

/** 96 random bits and the mark, as long as the ids of version 0.1. */
export function newSignInId(): string {
  return Buffer.concat([randomBytes(RANDOM_BYTES), MARK]).toString('base64url')
}

/** All fields that never change. They name the key of the seal, which authenticates them. */
function nameOf(record: SignInRecord): string {
  const { accountId, id, mode, epoch, generation, createdAt, absoluteExpiresAt } = record
  const { ip, userAgent, sessionKey } = record
  return JSON.stringify([
    accountId,
    id,
    mode,
    epoch,
    generation,
    createdAt,
    absoluteExpiresAt,
    ip,
    userAgent,
    sessionKey,
  ])
}

/** Whole characters of base64url. 120 bits are enough for a MAC that nobody can try offline. Each record holds one. */
const MAC_BYTES = 15
const BARE = /^([\w-]{8})([\w-]{20})$/

/** A prefix of its own, so that no MAC equals the key of a seal. */
function mac(key: KeyObject, name: string): string {
  return createHmac('sha256', key).update(`bare.${name}`).digest().toString('base64url', 0, MAC_BYTES)
}

/** Version 0.1 wrote an empty object if an application gave no claims. */
function areNone(claims: SignInRecord['claims']): boolean {
  return claims === null || Object.keys(claims).length === 0
}

/**
 * The prefix of a seal with factors. Version 0.2 treats such a record as altered, and does not list it. The name of the seal
 * differs too, so that the seal does not open as claims if somebody removes the prefix.
 */
const FACTORS = 'f'

function nameOfFactors(name: string): string {
  return `factors.${name}`
}

/**
 * The record for a store. Its seal is `<key id><MAC>`; with claims, `v1.<key id>.<IV, tag and ciphertext>`; with factors,
 * `f` and the same. Most records have neither claims nor factors. An IV and a tag would cost each of them 22 bytes.
 */
export function sealRecord(
  keys: PurposeKeys,
  { factors, strongFrom, ...record }: SignInRecord,
): SignInRecord {
  const { claims } = record
  const { id, key } = keys.signing
  const name = nameOf(record)
  const given = writeFactors(factors, record.createdAt)
  if (given !== undefined) {
    const from = strongFrom === undefined ? [] : [strongFrom]
    const content = JSON.stringify([areNone(claims) ? null : claims, given, ...from])
    return { ...record, claims: null, seal: `${FACTORS}${seal(keys, nameOfFactors(name), content)}` }
  }
  const sealed = areNone(claims) ? `${id}${mac(key, name)}` : seal(keys, name, JSON.stringify(claims))
  return { ...record, claims: null, seal: sealed }
}

/** The content of a seal. Null if the seal does not belong to this record. */
function contentOf(keys: PurposeKeys, name: string, sealed: string): Content | null {
  const [, id = '', given = ''] = BARE.exec(sealed) ?? []
  if (id !== '') {
    const key = keys.find(id)
    return key && timingSafeEqual(Buffer.from(mac(key, name)), Buffer.from(given)) ? NOTHING : null
  }
  if (sealed.startsWith(FACTORS)) {
    const text = unseal(keys, nameOfFactors(name), sealed.slice(FACTORS.length))
    return text === null ? null : withFactors(JSON.parse(text))
  }
  const text = unseal(keys, name, sealed)
  return text === null ? null : { claims: claimsOrNull(JSON.parse(text)), fac: undefined }
}

interface Content {
  readonly claims: SignInRecord['claims']
  /** See writeFactors. */
  readonly fac: string | undefined
  readonly strongFrom?: number
}

const NOTHING: Content = Object.freeze({ claims: null, fac: undefined })

/** Null for a method that only a later version knows. */
function withFactors(content: unknown): Content | null {
  const [claims, fac, from] = Array.isArray(content) ? content : []
  if (!isFactorsText(fac)) return null
  return { claims: claimsOrNull(claims), fac, ...(from === undefined ? {} : { strongFrom: whole(from) }) }
}

const KEY_ID = /^f?(?:v1\.)?([\w-]{8})(?:\.[\w-]+|[\w-]{20})$/

function keyIdOf(sealed: string): string {
  return KEY_ID.exec(sealed)?.[1] ?? ''
}

/** Whether its seal must be renewed while its key still exists. A record of 0.1 gets none: that would prove nothing. */
export function isStale(keys: PurposeKeys, { seal: known }: SignInRecord): boolean {
  return typeof known === 'string' && keyIdOf(known) !== keys.signing.id
}

export interface OpenedRecord {
  readonly signIn: SignInRecord
  /** False if its secret has left the ring, or version 0.1 left claims unsealed. Such a record is only good for a list. */
  readonly isGenuine: boolean
}

function opened(stored: SignInRecord, { claims, fac, ...more }: Content): OpenedRecord {
  const { signIn } = unopened(stored)
  const factors = readFactors(fac, stored.createdAt)
  return { signIn: Object.freeze({ ...signIn, claims, factors, ...more }), isGenuine: true }
}

function unopened(stored: SignInRecord): OpenedRecord {
  const { seal: _seal, factors: _factors, strongFrom: _from, ...record } = stored
  const idleExpiresAt = Math.min(record.idleExpiresAt, record.absoluteExpiresAt)
  return { signIn: Object.freeze({ ...record, idleExpiresAt, claims: null }), isGenuine: false }
}

/** Opens a record from a store. Null for an altered one, which counts as absent. */
export function openRecord(keys: PurposeKeys, stored: SignInRecord): OpenedRecord | null {
  if (!stored.seal) {
    if (MARKED.test(stored.id)) return null
    return areNone(stored.claims) ? opened(stored, NOTHING) : unopened(stored)
  }
  const content = contentOf(keys, nameOf(stored), stored.seal)
  if (content !== null) return opened(stored, content)
  const keyId = keyIdOf(stored.seal)
  return keyId === '' || keys.find(keyId) ? null : unopened(stored)
}
