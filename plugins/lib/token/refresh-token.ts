import type { PurposeKeys } from '../credentials/keys.js'
import { signValue, verifyValue } from '../credentials/signed-value.js'
import type { SignInRecord } from '../stores/contract.js'

export interface RefreshClaims {
  readonly accountId: string
  readonly signInId: string
  /** The number of rotations before it. */
  readonly counter: number
  /** Thumbprint of the key that the token is bound to (RFC 9449 §5). Absent if it is bound to none. */
  readonly jkt?: string
}

/*
 * The content: counter (6 bytes, big endian), sign-in id (16 bytes), the thumbprint of a bound token (32 bytes), account
 * id (UTF-16, little endian, to the end). The highest bit of the counter says whether there is a thumbprint. Fixed
 * widths come first, so no two contents share an encoding. UTF-16, because UTF-8 encodes all lone surrogates alike.
 */
const COUNTER_BYTES = 6
const SIGN_IN_BYTES = 16
const HEAD_BYTES = COUNTER_BYTES + SIGN_IN_BYTES
const THUMBPRINT_BYTES = 32
/** Added to the counter of a bound token. */
const BOUND = 2 ** (8 * COUNTER_BYTES - 1)
/** The highest counter. It has no successor, and no sign-in lives long enough to reach it. */
const COUNTER_END = BOUND - 1

function encode({ accountId, signInId, counter, jkt }: RefreshClaims): string {
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUIntBE(jkt === undefined ? counter : counter + BOUND, 0, COUNTER_BYTES)
  head.write(signInId, COUNTER_BYTES, 'base64url')
  const key = Buffer.from(jkt ?? '', 'base64url')
  return Buffer.concat([head, key, Buffer.from(accountId, 'utf16le')]).toString('base64url')
}

/** Null for content that `encode` cannot have made: too short, an odd number of bytes, not canonical. */
function decode(content: string): RefreshClaims | null {
  const bytes = Buffer.from(content, 'base64url')
  if (bytes.length < HEAD_BYTES) return null
  const counter = bytes.readUIntBE(0, COUNTER_BYTES)
  const isBound = counter >= BOUND
  const head = isBound ? HEAD_BYTES + THUMBPRINT_BYTES : HEAD_BYTES
  if (bytes.length <= head) return null
  const claims: RefreshClaims = Object.freeze({
    accountId: bytes.toString('utf16le', head),
    signInId: bytes.toString('base64url', COUNTER_BYTES, HEAD_BYTES),
    counter: isBound ? counter - BOUND : counter,
    ...(isBound && { jkt: bytes.toString('base64url', HEAD_BYTES, head) }),
  })
  return claims.counter < COUNTER_END && encode(claims) === content ? claims : null
}

/**
 * The newest refresh token of a sign-in. It is never stored, because the record and the key that it names always give
 * the same text.
 * @param jkt thumbprint of the key that it is bound to, or null. Only the token itself keeps it.
 * @returns null for a sign-in that has none, or whose key has left the ring
 */
export function deriveRefreshToken(
  keys: PurposeKeys,
  record: SignInRecord,
  jkt: string | null = null,
): string | null {
  const { refresh, accountId, id } = record
  const key = refresh ? keys.find(refresh.keyId) : undefined
  if (!refresh || !key) return null
  const content = encode({
    accountId,
    signInId: id,
    counter: refresh.counter,
    ...(jkt !== null && { jkt }),
  })
  return signValue({ ...keys, signing: { id: refresh.keyId, key } }, content)
}

/** The claims of a genuine refresh token, old or new. Null for anything else. */
export function openRefreshToken(keys: PurposeKeys, text: unknown): RefreshClaims | null {
  if (typeof text !== 'string') return null
  const content = verifyValue(keys, text)
  return content === null ? null : decode(content)
}
