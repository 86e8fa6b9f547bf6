import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { OptionInvalid } from '../errors.js'

/*
 * Version and algorithm are part of the label, so that no key is ever used with another algorithm or format. A test
 * vector pins the labels: changing one signs everybody out.
 */
const ALGORITHMS = {
  cookie: 'HMAC-SHA256',
  'session-id': 'HMAC-SHA256',
  'session-data': 'AES-256-GCM',
  'access-token': 'HS256',
  'refresh-token': 'HMAC-SHA256',
  'sign-in': 'AES-256-GCM',
  device: 'HMAC-SHA256',
  throttle: 'HMAC-SHA256',
  'dpop-nonce': 'HMAC-SHA256',
  'device-binding': 'HMAC-SHA256',
  'device-code': 'HMAC-SHA256',
  'device-challenge': 'HMAC-SHA256',
  'device-proof': 'HMAC-SHA256',
  mail: 'HMAC-SHA256',
  factor: 'AES-256-GCM',
  pending: 'AES-256-GCM',
  'passkey-challenge': 'HMAC-SHA256',
} as const

/** Each purpose has its own key, so that no credential passes for one of another kind. */
export type Purpose = keyof typeof ALGORITHMS

/** One key for one purpose, with the id that credentials name it by. */
export interface PurposeKey {
  readonly id: string
  readonly key: KeyObject
}

/** All keys for one purpose. The first secret's key signs; all of them verify. */
export interface PurposeKeys {
  readonly signing: PurposeKey
  /** In the order of the secrets. */
  readonly all: readonly PurposeKey[]
  /** The key of that id. An unknown id is refused: no other key is tried. */
  find(id: string): KeyObject | undefined
}

export interface KeyRing {
  purpose(purpose: Purpose): PurposeKeys
}

/** The minimum length of a secret, in bytes: the output length of SHA-256 (RFC 2104 §3). */
export const SECRET_BYTES = 32

/** HKDF with SHA-256 (RFC 5869). No salt: the secrets are random (§3.1). */
function derive(secret: string, label: string, length: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `fastify-identity/v1/${label}`, length))
}

/** Derived from the secret, so that reordering the list changes no id. */
function keyId(secret: string): string {
  return derive(secret, 'key-id', 6).toString('base64url')
}

function purposeKey(secret: string, purpose: Purpose): PurposeKey {
  const bytes = derive(secret, `${purpose}/${ALGORITHMS[purpose]}`, 32)
  return Object.freeze({ id: keyId(secret), key: createSecretKey(bytes) })
}

function purposeKeys([first, ...others]: Secrets, purpose: Purpose): PurposeKeys {
  const signing = purposeKey(first, purpose)
  const all = Object.freeze([signing, ...others.map((secret) => purposeKey(secret, purpose))])
  const byId = new Map(all.map(({ id, key }) => [id, key]))
  return Object.freeze({ signing, all, find: (id: string) => byId.get(id) })
}

type Secrets = readonly [string, ...string[]]

/** Returns a copy, so that later changes to the option's array have no effect. */
function checkSecrets(secrets: unknown): Secrets {
  const [first, ...others] = Array.isArray(secrets) ? secrets : []
  if (first === undefined) throw new OptionInvalid('secrets', 'needs a list of at least one secret')
  for (const secret of [first, ...others]) {
    if (typeof secret !== 'string' || Buffer.byteLength(secret) < SECRET_BYTES) {
      throw new OptionInvalid('secrets', `needs secrets of at least ${SECRET_BYTES} bytes each`)
    }
  }
  if (new Set([first, ...others]).size <= others.length) {
    throw new OptionInvalid('secrets', 'lists one secret twice')
  }
  return [first, ...others]
}

/**
 * A ring of keys derived from secrets of at least 32 bytes each.
 * @throws OPTION_INVALID if there is no secret, or one is too short or listed twice
 */
export function createKeyRing(secrets: readonly string[]): KeyRing {
  const own = checkSecrets(secrets)
  const made = new Map<Purpose, PurposeKeys>()
  return Object.freeze({
    purpose(purpose: Purpose) {
      const keys = made.get(purpose) ?? purposeKeys(own, purpose)
      made.set(purpose, keys)
      return keys
    },
  })
}
