import { SECRET_BYTES } from './keys.js'

/** Words that occur in the secrets of examples. Anybody can guess a secret made of them. */
const KNOWN_WORDS = new RegExp(
  String.raw`
change[-_ ]?(me|this|it)|replace[-_ ]?(me|this|it)|your[-_ ]?(own|key)|keyboard[-_ ]?cat|passw(or)?d
secret|example|default|insecure|development|letmein|iloveyou
(?<![a-z\d])(?:\d+|thirty[-_ ]?two)[-_ ]?(bit|byte|char(acter)?)s?(?![a-z\d])|at[-_ ]?least|bigger[-_ ]?than|todo|openssl
fastify|identity|production|never[-_ ]?use|key|value|here|correct[-_ ]?horse|battery|staple|minimum
length|very[-_ ]?long|string|phrase|0123456789|1234567890|abcdefgh|qwerty|asdfgh|zxcvbn|deadbeef
`
    .trim()
    .replaceAll('\n', '|'),
  'gi',
)

/** 32 characters with fewer distinct ones hold less than 96 bits. */
const DISTINCT_MIN = 8

/** True for `abcabcabcab`: one short piece repeated, the last time perhaps cut off. */
function isRepetition(secret: string): boolean {
  for (let period = 1; period <= secret.length / 2; period += 1) {
    if (secret.startsWith(secret.slice(period))) return true
  }
  return false
}

/** True for `bcdefg…`, `zyxwv…` and `112233…`: nearly every character is next to its predecessor. */
function isSequence(secret: string): boolean {
  const codes = [...secret].map((character) => character.charCodeAt(0))
  const steps = codes.slice(1).filter((code, index) => Math.abs(code - (codes[index] ?? 0)) <= 1)
  return steps.length > codes.length * 0.75
}

/** A placeholder of a template, or four words of a sentence. */
const UNFILLED = /\$[{(]|^<.*>$|([a-z]+[\s.,:;]+){3}[a-z]/i

/** Why a secret is too short for a key, or null. */
export function secretShortness(secret: string): string | null {
  return Buffer.byteLength(secret) < SECRET_BYTES ? `is shorter than ${SECRET_BYTES} bytes` : null
}

/** Why a secret is too weak, or null. Never quotes the secret. */
export function secretWeakness(secret: string): string | null {
  const shortness = secretShortness(secret)
  if (shortness) return shortness
  const isTrivial = new Set(secret).size < DISTINCT_MIN || isRepetition(secret) || isSequence(secret)
  if (isTrivial) return 'is trivial to guess'
  if (UNFILLED.test(secret)) return 'is a placeholder or a sentence'
  // The rest must be a secret by itself.
  const rest = secret.replace(KNOWN_WORDS, '')
  if (rest !== secret && Buffer.byteLength(rest) < SECRET_BYTES) return 'is made of well known words'
  return null
}
