import { createHash, createHmac, type KeyObject } from 'node:crypto'
import { createKeyRing, type Purpose } from '../../plugins/lib/credentials/keys.js'

const encode = (text: string) => Buffer.from(text).toString('base64url')

export const keyOf = (secret: string, purpose: Purpose = 'access-token') =>
  createKeyRing([secret]).purpose(purpose).signing

/** What a token says, unverified. */
export function parts(token: string) {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
  return { header: read(header), payload: read(payload), signature }
}

/** A token with a genuine signature over whatever is handed in. Text is taken as the JSON itself. */
export function forge(header: unknown, payload: unknown, key: KeyObject, hash = 'sha256'): string {
  const json = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
  return signed(`${encode(json(header))}.${encode(json(payload))}`, key, hash)
}

/** The text with an HMAC over it as one more part. */
export function signed(text: string, key: KeyObject, hash = 'sha256'): string {
  return `${text}.${createHmac(hash, key).update(text).digest('base64url')}`
}

/** An API key of the right form with a right check, which nobody has made. */
export function forgeKey(id: string, secret = 'A'.repeat(27)): string {
  const body = `fik_${id}_${secret}`
  const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  let rest = createHash('sha256').update(body).digest().readUInt32BE()
  let check = ''
  for (let digit = 0; digit < 6; digit++) {
    check = alphabet[rest % 62] + check
    rest = Math.floor(rest / 62)
  }
  return `${body}_${check}`
}
