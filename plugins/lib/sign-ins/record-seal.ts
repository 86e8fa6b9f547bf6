import { createHmac, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto'
import type { PurposeKeys } from '../credentials/keys.js'
import { seal, unseal } from '../session/seal.js'
import type { SignInRecord } from '../stores/contract.js'
import { claimsOrNull } from '../stores/narrow.js'

/*
 * What never changes of a sign-in's record is authenticated, and its claims are sealed, before a store gets it: who can
 * write the store changes nobody's claims, epoch or absolute limit. What changes (when it was seen, the idle limit, the
 * refresh counter) is the store's.
 *
 * Version 0.1 wrote records without a seal. The end of an id says that its sign-in began under a version that seals: the
 * id comes from a genuine credential, so that a record whose seal was taken away does not pass for an old one.
 */

const RANDOM_BYTES = 12
const MARK = Buffer.from('seal')
/** 16 bytes in base64url, of which the last four are the mark: it begins at a whole character. */
const MARKED = new RegExp(`^[\\w-]{16}${MARK.toString('base64url')}$`)

/** 96 random bits and the mark, as long as the ids of version 0.1. */
export function newSignInId(): string {
  return Buffer.concat([randomBytes(RANDOM_BYTES), MARK]).toString('base64url')
}

/** All that never changes. It names the key of the seal, and is authenticated with it. */
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

/** Whole characters of base64url, and 120 bits: enough for a MAC that nobody tries offline, and it is in each record. */
const MAC_BYTES = 15
const BARE = /^([\w-]{8})([\w-]{20})$/

/** With a first word of its own, so that no MAC is the key of a seal. */
function mac(key: KeyObject, name: string): string {
  return createHmac('sha256', key).update(`bare.${name}`).digest().toString('base64url', 0, MAC_BYTES)
}

/** Version 0.1 wrote an empty object where an application gave none. */
function areNone(claims: SignInRecord['claims']): boolean {
  return claims === null || Object.keys(claims).length === 0
}

/**
 * The record as a store gets it. Its seal is `<key id><MAC>`, or with claims `v1.<key id>.<IV, tag and ciphertext>`: most
 * records have none, and an IV and a tag would cost each of them 22 bytes.
 */
export function sealRecord(keys: PurposeKeys, record: SignInRecord): SignInRecord {
  const { claims } = record
  const { id, key } = keys.signing
  const name = nameOf(record)
  const sealed = areNone(claims) ? `${id}${mac(key, name)}` : seal(keys, name, JSON.stringify(claims))
  return { ...record, claims: null, seal: sealed }
}

/** What a seal holds: JSON of the claims, or `null`. Null where it is not that of the record of this name. */
function contentOf(keys: PurposeKeys, name: string, sealed: string): string | null {
  const [, id = '', given = ''] = BARE.exec(sealed) ?? []
  if (id === '') return unseal(keys, name, sealed)
  const key = keys.find(id)
  return key && timingSafeEqual(Buffer.from(mac(key, name)), Buffer.from(given)) ? 'null' : null
}

const KEY_ID = /^(?:v1\.)?([\w-]{8})(?:\.[\w-]+|[\w-]{20})$/

function keyIdOf(sealed: string): string {
  return KEY_ID.exec(sealed)?.[1] ?? ''
}

/** Whether its seal is to be renewed while its key is still there. One of 0.1 has none, and gets none: it proves nothing. */
export function isStale(keys: PurposeKeys, { seal: known }: SignInRecord): boolean {
  return typeof known === 'string' && keyIdOf(known) !== keys.signing.id
}

export interface OpenedRecord {
  readonly signIn: SignInRecord
  /** False where its secret has left the ring, or version 0.1 left claims unsealed: fit for a list, and for nothing else. */
  readonly isGenuine: boolean
}

function opened(stored: SignInRecord, claims: SignInRecord['claims'], isGenuine: boolean): OpenedRecord {
  const { seal: _seal, ...record } = stored
  const idleExpiresAt = Math.min(record.idleExpiresAt, record.absoluteExpiresAt)
  return { signIn: Object.freeze({ ...record, idleExpiresAt, claims }), isGenuine }
}

/** A record as a store gave it back. Null for one that was altered: as good as none. */
export function openRecord(keys: PurposeKeys, stored: SignInRecord): OpenedRecord | null {
  if (!stored.seal) return MARKED.test(stored.id) ? null : opened(stored, null, areNone(stored.claims))
  const content = contentOf(keys, nameOf(stored), stored.seal)
  if (content !== null) return opened(stored, claimsOrNull(JSON.parse(content)), true)
  const keyId = keyIdOf(stored.seal)
  return keyId === '' || keys.find(keyId) ? null : opened(stored, null, false)
}
