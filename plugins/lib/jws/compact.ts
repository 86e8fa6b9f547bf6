import { isUtf8 } from 'node:buffer'
import { verify } from 'node:crypto'
import { isObject } from '../shape.js'
import { isNameOf, type PublicKey } from './public-key.js'

/** An object of JSON, unchecked. */
export type JsonObject = Readonly<Record<string, unknown>>

/** The parts of a signed JWT. Nothing about them is verified yet. */
export interface Compact {
  /** The first part, as it was sent. */
  readonly head: string
  readonly header: JsonObject
  readonly payload: JsonObject
  /** The text that the signature covers (RFC 7515 §5.1). */
  readonly signed: string
  readonly signature: Buffer
}

/** Each string of a JSON text, and the colon after it if it is a name. */
const STRINGS = /"(?:[^"\\]|\\.)*"\s*(:)?/g

function namesIn(json: string): number {
  let names = 0
  for (const [, colon] of json.matchAll(STRINGS)) if (colon) names += 1
  return names
}

/** Counts all names of a value. Uses a loop: recursion over deeply nested JSON would exhaust the stack. */
function namesOf(value: unknown): number {
  const pending: unknown[] = [value]
  let names = 0
  for (const one of pending) {
    if (typeof one !== 'object' || one === null) continue
    const inner = Object.values(one)
    if (!Array.isArray(one)) names += inner.length
    for (const each of inner) pending.push(each)
  }
  return names
}

function parseQuietly(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}

/** The bytes of a part in its only spelling (RFC 4648 §3.5), or null. */
function bytesOf(part: string | undefined): Buffer | null {
  if (!part) return null
  const bytes = Buffer.from(part, 'base64url')
  return bytes.toString('base64url') === part ? bytes : null
}

/**
 * The object that a part encodes. Null if a name occurs twice, because parsers differ about that (RFC 8259 §4). Ours
 * keeps the last one, so the text then has more names than the value.
 */
function decodePart(part: string | undefined): JsonObject | null {
  const bytes = bytesOf(part)
  if (!bytes || !isUtf8(bytes)) return null
  const json = bytes.toString()
  const value = parseQuietly(json)
  return isObject(value) && namesIn(json) === namesOf(value) ? value : null
}

/** A first part that was read before. */
export type KnownHead = Pick<Compact, 'head' | 'header'>

/** Null also for a header with critical extensions (RFC 7515 §4.1.11), because this code knows none. */
function readHead(head: string | undefined): JsonObject | null {
  const header = decodePart(head)
  return header && Object.hasOwn(header, 'crit') ? null : header
}

/**
 * Reads a JWT in compact form (RFC 7515 §7.1) from a client.
 * @param maxLength in characters. A longer text is refused unread.
 * @param known the first part of an earlier text. If it is the same, it is not decoded again
 * @returns null unless it has three canonical parts, with an object of JSON in each of the first two. Never throws.
 */
export function parseCompact(text: unknown, maxLength: number, known?: KnownHead): Compact | null {
  if (typeof text !== 'string' || text.length > maxLength) return null
  const [head = '', body, last, ...more] = text.split('.')
  const signature = more.length > 0 ? null : bytesOf(last)
  const header = signature && (known?.head === head ? known.header : readHead(head))
  const payload = header && decodePart(body)
  return payload && { head, header, payload, signed: `${head}.${body}`, signature }
}

const ES256_BYTES = 64

/** Whether the key made the signature. The header must name the key's only algorithm. Never throws. */
export function verifyCompact({ header, signed, signature }: Compact, { key, alg }: PublicKey): boolean {
  if (!isNameOf(header.alg, alg) || (alg === 'ES256' && signature.length !== ES256_BYTES)) return false
  try {
    const data = Buffer.from(signed, 'latin1')
    // RFC 7518 §3.4: the signature is two numbers of 32 bytes, without ASN.1.
    return verify(alg === 'EdDSA' ? null : 'sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature)
  } catch {
    return false
  }
}
