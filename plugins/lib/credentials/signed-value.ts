import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { PurposeKeys } from './keys.js'

const VERSION = 'v1'
/** Browsers keep no cookie above 4096 bytes with its name and attributes (RFC 6265 §6.1). */
export const SIGNED_VALUE_MAX = 3800

const SHAPE = /^v1\.([\w-]{8})\.([\w-]+)\.([\w-]{43})$/

function mac(key: KeyObject, signed: string): string {
  return createHmac('sha256', key).update(signed).digest('base64url')
}

/**
 * `v1.<key id>.<payload>.<MAC>`, with HMAC-SHA256 over all that stands before the MAC.
 * @param payload base64url text
 */
export function signValue(keys: PurposeKeys, payload: string): string {
  const signed = `${VERSION}.${keys.signing.id}.${payload}`
  return `${signed}.${mac(keys.signing.key, signed)}`
}

/** JSON as base64url: the payload of a value that holds fields. */
export function encodeJson(content: object): string {
  return Buffer.from(JSON.stringify(content)).toString('base64url')
}

/**
 * True for the one text that `encodeJson` makes of what was read from it. A name that is there twice, of which
 * two readers might take different ones (RFC 8259 §4), is in no such text; nor are other spellings and bytes
 * that are no UTF-8.
 */
export function isOwnJson(encoded: string, content: unknown): boolean {
  return typeof content === 'object' && content !== null && encodeJson(content) === encoded
}

/** What `encodeJson` made this text of. Null for any other text. */
export function decodeJson(encoded: string): unknown {
  try {
    const content: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString())
    return isOwnJson(encoded, content) ? content : null
  } catch {
    return null
  }
}

/**
 * The payload of a value that `signValue` made under one of these keys, or null. The MAC is compared as
 * text: a second spelling of the same bytes (base64url's unused last bits) is refused.
 */
export function verifyValue(keys: PurposeKeys, value: string): string | null {
  if (value.length > SIGNED_VALUE_MAX) return null
  const [, id, payload, given] = SHAPE.exec(value) ?? []
  if (!id || !payload || !given) return null
  const key = keys.find(id)
  if (!key) return null
  const expected = Buffer.from(mac(key, value.slice(0, -given.length - 1)))
  return timingSafeEqual(expected, Buffer.from(given)) ? payload : null
}
