import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { PurposeKeys } from './keys.js'

const VERSION = 'v1'
/** Browsers reject cookies above 4096 bytes, with name and attributes (RFC 6265 §6.1). So this is lower. */
export const SIGNED_VALUE_MAX = 3800

const SHAPE = /^v1\.([\w-]{8})\.([\w-]+)\.([\w-]{43})$/

function mac(key: KeyObject, signed: string): string {
  return createHmac('sha256', key).update(signed).digest('base64url')
}

/**
 * `v1.<key id>.<payload>.<MAC>`, with HMAC-SHA256 over everything before the MAC.
 * @param payload base64url text
 */
export function signValue(keys: PurposeKeys, payload: string): string {
  const signed = `${VERSION}.${keys.signing.id}.${payload}`
  return `${signed}.${mac(keys.signing.key, signed)}`
}

/** JSON as base64url: a payload with fields. */
export function encodeJson(content: object): string {
  return Buffer.from(JSON.stringify(content)).toString('base64url')
}

/**
 * Whether the text is exactly what `encodeJson` makes of its content. That excludes duplicate names, which readers
 * interpret differently (RFC 8259 §4), other spellings, and malformed UTF-8.
 */
export function isOwnJson(encoded: string, content: unknown): boolean {
  return typeof content === 'object' && content !== null && encodeJson(content) === encoded
}

/** The content of a text that `encodeJson` made. Null for any other text. */
export function decodeJson(encoded: string): unknown {
  try {
    const content: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString())
    return isOwnJson(encoded, content) ? content : null
  } catch {
    return null
  }
}

/**
 * The payload of a value that `signValue` made under one of these keys, or null. The MAC is compared as text, which
 * refuses other spellings of the same bytes (base64url's unused last bits).
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
