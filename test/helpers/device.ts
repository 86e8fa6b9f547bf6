import fc from 'fast-check'
import { createKeyRing, type Purpose } from '../../plugins/lib/credentials/keys.js'
import type { DeviceRef } from '../../plugins/lib/device/ref.js'
import { importPublicJwk, type PublicKey } from '../../plugins/lib/jws/public-key.js'
import { type Algorithm, keyPair } from './signing-key.js'

export const SECRET = 'a secret for tests, at least 32 bytes long'
export const NEXT = 'another secret for tests, as long as that'

export const keysOf = (purpose: Purpose, ...secrets: string[]) =>
  createKeyRing(secrets.length > 0 ? secrets : [SECRET]).purpose(purpose)

export const REF: DeviceRef = {
  ...{ mode: 'cookie', accountId: 'account-1', signInId: 'sign-in-1', epoch: 3, generation: 7 },
}

/** Other sign-ins, each one field away. */
export const OTHERS: readonly DeviceRef[] = [
  { ...REF, mode: 'session' },
  { ...REF, accountId: 'account-2' },
  { ...REF, signInId: 'sign-in-2' },
]

export function publicKey(algorithm: Algorithm = 'ES256'): PublicKey {
  const key = importPublicJwk(keyPair(algorithm).publicKey.export({ format: 'jwk' }))
  if (!key) throw new Error('no key')
  return key
}

/** Texts one change away from a genuine one, and others. */
export function alteredTexts(genuine: string): fc.Arbitrary<string> {
  const at = fc.record({ from: fc.nat(genuine.length), length: fc.nat(12), put: fc.string({ maxLength: 4 }) })
  const changed = at.map(
    ({ from, length, put }) => genuine.slice(0, from) + put + genuine.slice(from + length),
  )
  return fc.oneof({ weight: 5, arbitrary: changed }, fc.string()).filter((text) => text !== genuine)
}
