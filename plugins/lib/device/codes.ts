import { Instant } from '../credentials/identity-claims.js'
import type { PurposeKeys } from '../credentials/keys.js'
import {
  decodeJson,
  encodeJson,
  SIGNED_VALUE_MAX,
  signValue,
  verifyValue,
} from '../credentials/signed-value.js'
import { Type } from '../shape.js'
import { contentOfRef, type DeviceRef, RefFields, refOfContent } from './ref.js'
import { AHEAD_MAX, CODE_FOR } from './times.js'

const closed = { additionalProperties: false }
/** `iat` is in seconds. */
const isCode = Type.Object({ k: Type.Literal('r'), iat: Instant, ...RefFields }, closed)
const isIdentifier = Type.Object({ k: Type.Literal('i'), ...RefFields }, closed)

/** The payload of a signed value, unverified. */
const PAYLOAD = /^v1\.([\w-]{8})\.([\w-]+)\.[\w-]{43}$/

/** The name by which a browser knows a bound sign-in. */
export interface Identifier {
  /** As the browser sent it. The answer must repeat it exactly. */
  readonly text: string
  readonly ref: DeviceRef
  /**
   * False if its secret has left the ring, since a browser keeps the identifier as long as the sign-in lives. Then the
   * MAC cannot be checked, and the record's binding decides. Such a text is looked up only with a genuine challenge.
   */
  readonly isGenuine: boolean
}

/** Writes and reads registration codes, and the identifiers of bound sign-ins. */
export class DeviceCodes {
  constructor(private readonly keys: PurposeKeys) {}

  /** A code that lets a browser bind the sign-in. @param now in ms */
  registration(ref: DeviceRef, now: number): string {
    const content = { k: 'r', iat: Math.floor(now / 1000), ...contentOfRef(ref) }
    return signValue(this.keys, encodeJson(content))
  }

  /** The sign-in of a genuine code that has not expired, or null. @param now in ms */
  readRegistration(text: unknown, now: number): DeviceRef | null {
    const payload = typeof text === 'string' ? verifyValue(this.keys, text) : null
    const content = payload === null ? null : decodeJson(payload)
    if (!isCode(content)) return null
    const age = now - content.iat * 1000
    return age >= -AHEAD_MAX && age < CODE_FOR ? refOfContent(content) : null
  }

  /** Always the same text for a sign-in, under one secret. */
  identifier(ref: DeviceRef): string {
    return signValue(this.keys, encodeJson({ k: 'i', ...contentOfRef(ref) }))
  }

  /** Null for a forged text. */
  readIdentifier(text: string): Identifier | null {
    const genuine = verifyValue(this.keys, text)
    const payload = genuine ?? this.#retired(text)
    const content = payload === null ? null : decodeJson(payload)
    return isIdentifier(content) ? { text, ref: refOfContent(content), isGenuine: genuine !== null } : null
  }

  #retired(text: string): string | null {
    if (text.length > SIGNED_VALUE_MAX) return null
    const [, keyId = '', payload = ''] = PAYLOAD.exec(text) ?? []
    return payload === '' || this.keys.find(keyId) ? null : payload
  }
}
