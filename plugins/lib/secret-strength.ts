import { SECRET_BYTES } from './keys.js'

/** Words that examples and habits put into secrets. A secret that is made of them is known to everybody. */
const KNOWN_WORDS =
  /change[-_ ]?me|replace[-_ ]?me|your[-_ ]?(own|secret|key)|secret[-_ ]?key|password|passwd|keyboard[-_ ]?cat|super[-_ ]?secret|my[-_ ]?secret|example|default|insecure|development|0123456789|1234567890|abcdefgh|qwerty/gi

/** With fewer distinct characters than this, 32 bytes hold far less than 128 bits. */
const DISTINCT_MIN = 10

/** True for `abcabcabc…`: one short piece again and again. */
function isRepetition(secret: string): boolean {
  const period = `${secret}${secret}`.indexOf(secret, 1)
  return period <= secret.length / 2
}

/** Why a secret must not be used, or null. Never quotes the secret. */
export function secretWeakness(secret: string): string | null {
  if (Buffer.byteLength(secret) < SECRET_BYTES) return `is shorter than ${SECRET_BYTES} bytes`
  if (isRepetition(secret) || new Set(secret).size < DISTINCT_MIN) return 'is trivial to guess'
  // What stands beside the known words must be a secret by itself.
  const rest = secret.replace(KNOWN_WORDS, '')
  if (rest !== secret && Buffer.byteLength(rest) < SECRET_BYTES) return 'is made of well known words'
  return null
}
