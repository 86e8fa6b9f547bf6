import { createPrivateKey, createPublicKey, KeyObject } from 'node:crypto'
import type { TokenAlgorithm, TokenKey, TokenKeys } from './codecs.js'
import { thumbprint } from './jwks.js'
import { pemBlocks } from './pem.js'

/**
 * Stands for the shared secrets. As the first entry, they sign, and the other keys are published and only verify. As
 * the last entry, they only verify. Without this entry, no token under them is accepted, so a leaked secret cannot
 * forge a token.
 */
export const SHARED = 'shared'

/** PEM blocks, a key, or the word `shared`. */
export type SigningKeyInput = string | KeyObject

/** Checked: each key is of a supported kind, and occurs once. */
export type SigningKeys = readonly (typeof SHARED | KeyObject)[]

/** Makes the error. `fault` contains no part of a key. */
type MakeError = (fault: string) => Error

const RSA_BITS_MIN = 2048
/** With a larger signature a token would exceed its maximum length. */
const RSA_BITS_MAX = 4096
/** FIPS 186-5 §5.1. With an exponent of 1 anybody could sign. */
const RSA_EXPONENT_MIN = 65_537n

const WANTED = 'and tokens are signed with Ed25519, P-256 or RSA'

function readPem(pem: string): KeyObject | string {
  // PKCS #8 marks encryption in the label, older forms in a header (RFC 1421 §4.6.1).
  if (/ENCRYPTED PRIVATE KEY-----|:/.test(pem)) {
    return 'is encrypted, and no passphrase can be given'
  }
  try {
    if (pem.includes('PRIVATE KEY-----')) return createPrivateKey(pem)
    if (pem.includes('PUBLIC KEY-----')) return createPublicKey(pem)
  } catch {
    return 'cannot be read, or is of no known kind'
  }
  return 'is neither a private nor a public key'
}

function rsaFault({ asymmetricKeyDetails: { modulusLength = 0, publicExponent = 0n } = {} }: KeyObject) {
  if (modulusLength < RSA_BITS_MIN || modulusLength > RSA_BITS_MAX) {
    return `has ${modulusLength} bits, and RSA wants ${RSA_BITS_MIN} to ${RSA_BITS_MAX}`
  }
  return publicExponent < RSA_EXPONENT_MIN ? 'has a public exponent below 65537' : null
}

/** Why a key cannot be used, in words, or null. */
function faultOf(key: KeyObject): string | null {
  const { asymmetricKeyType: type, asymmetricKeyDetails } = key
  if (key.type === 'secret') return `is a shared secret, ${WANTED}`
  if (type === 'ed25519') return null
  if (type === 'rsa') return rsaFault(key)
  if (type !== 'ec') return `is of the kind ${type}, ${WANTED}`
  return asymmetricKeyDetails?.namedCurve === 'prime256v1' ? null : `is on another curve, ${WANTED}`
}

/** Each kind has one algorithm (RFC 8037 §3.1, RFC 7518 §3.4, §3.3). */
function algorithmOf({ asymmetricKeyType: type }: KeyObject): TokenAlgorithm {
  if (type === 'ed25519') return 'EdDSA'
  return type === 'ec' ? 'ES256' : 'RS256'
}

const publicHalf = (key: KeyObject) => (key.type === 'private' ? createPublicKey(key) : key)

/** Without type checks a list may hold anything. */
function readInput(input: unknown): readonly (KeyObject | string)[] {
  if (input instanceof KeyObject) return [input]
  const blocks = typeof input === 'string' ? pemBlocks(input) : []
  return blocks.length > 0 ? blocks.map(readPem) : ['is no PEM']
}

function checkKeys(inputs: readonly unknown[], makeError: MakeError): KeyObject[] {
  const keys = inputs.flatMap(readInput).map((key, index) => {
    const fault = typeof key === 'string' ? key : faultOf(key)
    if (fault !== null || typeof key === 'string') throw makeError(`key number ${index + 1} ${fault}`)
    return key
  })
  const ids = new Set(keys.map((key) => thumbprint(publicHalf(key))))
  // Also refuses a private key beside its own public half.
  if (ids.size < keys.length) throw makeError('one key is listed twice')
  return keys
}

/**
 * Reads and checks keys for access tokens. The first signs, so it must be private. The word `shared` may be first or last.
 * @param makeError its result is thrown
 */
export function checkSigningKeys(inputs: unknown, makeError: MakeError): SigningKeys {
  const list: readonly unknown[] = Array.isArray(inputs) ? inputs : []
  const sharedSigns = list[0] === SHARED
  const sharedVerifies = !sharedSigns && list.at(-1) === SHARED
  const keys = checkKeys(list.slice(sharedSigns ? 1 : 0, sharedVerifies ? -1 : undefined), makeError)
  const [first] = keys
  if (!first) throw makeError('at least one key is wanted')
  if (!sharedSigns && first.type !== 'private')
    throw makeError('the first key signs, and has no private half')
  if (sharedSigns) return Object.freeze([SHARED, ...keys])
  return Object.freeze(sharedVerifies ? [...keys, SHARED] : keys)
}

function tokenKey(key: KeyObject): TokenKey {
  const publicKey = publicHalf(key)
  const secret = {
    public: Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })),
    ...(key.type === 'private' && { private: Buffer.from(key.export({ type: 'pkcs8', format: 'pem' })) }),
  }
  return { id: thumbprint(publicKey), algorithm: algorithmOf(key), secret }
}

/**
 * All keys for access tokens; the first signs.
 * @param shared the keys under the secrets. Left out if there are asymmetric keys and no `shared` among them.
 */
export function combineTokenKeys(signingKeys: SigningKeys, shared: TokenKeys): TokenKeys {
  const [first, ...others] = signingKeys.filter((key) => key !== SHARED).map(tokenKey)
  if (!first) return shared
  const [firstShared, ...othersShared] = shared
  if (signingKeys[0] === SHARED) return [firstShared, ...othersShared, first, ...others]
  return [first, ...others, ...(signingKeys.at(-1) === SHARED ? shared : [])]
}
