import { createHash, createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { PurposeKeys } from '../credentials/keys.js'

/** 128 bits: nobody can guess a token. */
const TOKEN_BYTES = 16
const CODE_DIGITS = 8

function mac(key: KeyObject, ...parts: readonly string[]): Buffer {
  return createHmac('sha256', key).update(parts.join('\0')).digest()
}

/** SHA-256 suffices, since the token has 128 random bits (OWASP ASVS 6.5.2). */
export const hashToken = (token: string): string => createHash('sha256').update(token).digest('base64url')

/**
 * Makes the tokens and codes of mails. They depend on the id of the outbox row and on a key that no database contains. So a
 * repeat of a mail has the same content, and a stolen outbox contains no token.
 */
export class MailSecrets {
  constructor(private readonly keys: () => PurposeKeys) {}

  resetToken(rowId: string, accountId: string): string {
    const { key } = this.keys().signing
    return mac(key, 'reset', rowId, accountId).subarray(0, TOKEN_BYTES).toString('base64url')
  }

  code(rowId: string): string {
    const number = mac(this.keys().signing.key, 'code', rowId).readBigUInt64BE() % 10n ** BigInt(CODE_DIGITS)
    return number.toString().padStart(CODE_DIGITS, '0')
  }

  /** A plain hash of eight digits could be reversed by trying them all. */
  hashCode(rowId: string, code: string): string {
    return mac(this.keys().signing.key, 'stored-code', rowId, code).toString('base64url')
  }

  /** Under any key: the secrets may have rotated since the mail. */
  matchesCode(rowId: string, code: string, stored: string): boolean {
    const wanted = Buffer.from(stored, 'base64url')
    return this.keys().all.some(({ key }) => {
      const given = mac(key, 'stored-code', rowId, code)
      return given.length === wanted.length && timingSafeEqual(given, wanted)
    })
  }
}
