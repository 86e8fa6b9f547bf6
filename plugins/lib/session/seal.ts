import { createCipheriv, createDecipheriv, createHmac, type KeyObject, randomBytes } from 'node:crypto'
import type { PurposeKeys } from '../credentials/keys.js'

const VERSION = 'v1'
const CIPHER = 'aes-256-gcm'
/** NIST SP 800-38D §8.2.2: 96 random bits. */
const IV_BYTES = 12
const TAG_BYTES = 16

const SHAPE = /^v1\.([\w-]{8})\.([\w-]+)$/

/**
 * One key for each session. Random IVs are safe for 2^32 messages under one key (NIST SP 800-38D §8.3), and a single
 * key for all sessions would exceed that. It also binds the sealed text to its session.
 */
function sessionKey(key: KeyObject, name: string): Buffer {
  return createHmac('sha256', key).update(`${VERSION}.${name}`).digest()
}

/** The additional authenticated data: format, key and record. */
function context(keyId: string, name: string): Buffer {
  return Buffer.from(`${VERSION}.${keyId}.${name}`)
}

/**
 * Seals a text with AES-256-GCM: `v1.<key id>.<IV, tag and ciphertext>`.
 * @param name of the record. In another record the sealed text does not open
 */
export function seal(keys: PurposeKeys, name: string, text: string): string {
  const { id, key } = keys.signing
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv(CIPHER, sessionKey(key, name), iv).setAAD(context(id, name))
  const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return `${VERSION}.${id}.${Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url')}`
}

/** Opens a text sealed for that record. Null if it was altered or moved, or its key has left the ring. */
export function unseal(keys: PurposeKeys, name: string, sealed: string): string | null {
  const [, id = '', encoded = ''] = SHAPE.exec(sealed) ?? []
  const key = keys.find(id)
  if (!key) return null
  const bytes = Buffer.from(encoded, 'base64url')
  if (bytes.length < IV_BYTES + TAG_BYTES) return null
  const decipher = createDecipheriv(CIPHER, sessionKey(key, name), bytes.subarray(0, IV_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(context(id, name)).setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
  try {
    return decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
  } catch {
    return null
  }
}

/** Whether a value `v1.<key id>.…` is under the current signing key. If not, renew it while its key still exists. */
export function isUnderSigningKey(keys: PurposeKeys, value: string): boolean {
  return value.startsWith(`${VERSION}.${keys.signing.id}.`)
}
