import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'

/** In base64url, 22 characters. 16 bytes are enough, because only the server can check a guess. */
const MAC_BYTES = 16
export const MAC_SHAPE = '[\\w-]{22}'

/** A MAC of texts. As JSON, two different lists never give the same bytes. */
export function macOf(key: KeyObject, ...texts: readonly string[]): string {
  return createHmac('sha256', key).update(JSON.stringify(texts)).digest().toString('base64url', 0, MAC_BYTES)
}

/** Whether that is the MAC of the texts, compared in constant time. */
export function isMacOf(given: string, key: KeyObject, ...texts: readonly string[]): boolean {
  const [one, other] = [Buffer.from(macOf(key, ...texts)), Buffer.from(given)]
  return one.length === other.length && timingSafeEqual(one, other)
}
