import { randomBytes } from 'node:crypto'
import type { PurposeKeys } from '../credentials/keys.js'
import { decodeJson, encodeJson } from '../credentials/signed-value.js'
import { importPublicJwk, type PublicKey } from '../jws/public-key.js'
import type { SignInRecord } from '../stores/contract.js'
import { isMacOf, MAC_SHAPE, macOf } from './mac.js'
import { type DeviceRef, nameOfRef } from './ref.js'

/*
 * A record's binding is `d1.<key id>.<payload>.<random>.<MAC>`. The payload is the device's key as JSON, or the word
 * none, or open until that is settled. The random bytes make each text unique. So of several registrations with one code,
 * only one finds its own text in the record. The MAC covers the sign-in as well: an attacker who can write to the store
 * cannot put in another key. A removed binding counts as unreadable. To unbind a sign-in, an attacker would need the copy
 * of its record from before it was bound.
 */

const SHAPE = new RegExp(`^d1\\.([\\w-]{8})\\.([\\w-]+)\\.([\\w-]{8})\\.(${MAC_SHAPE})$`)
/** These cannot be confused with a key: neither is the base64url of any JSON. */
const NONE = 'none'
const OPEN = 'open'
const VERSION = 'd1'
const RANDOM_BYTES = 6

/** What a sign-in is bound to. */
export type Binding =
  /** Not settled yet. */
  | { readonly kind: 'open' }
  /** To nothing. That never changes. */
  | { readonly kind: 'none'; readonly isStale: boolean }
  | { readonly kind: 'device'; readonly key: PublicKey; readonly isStale: boolean }
  /** Unreadable: missing, forged, or its secret has left the ring. No proof is accepted for it. */
  | { readonly kind: 'unknown' }

const UNSETTLED: Binding = Object.freeze({ kind: 'open' })
const UNKNOWN: Binding = Object.freeze({ kind: 'unknown' })

type Named = Omit<DeviceRef, 'epoch' | 'generation'>

/** Writes and reads the bindings in the records of sign-ins. */
export class Bindings {
  constructor(private readonly keys: PurposeKeys) {}

  toDevice(ref: Named, { jwk }: PublicKey): string {
    return this.#write(ref, encodeJson(jwk))
  }

  /** For a sign-in that begins. */
  toBeSettled(ref: Named): string {
    return this.#write(ref, OPEN)
  }

  toNothing(ref: Named): string {
    return this.#write(ref, NONE)
  }

  /** @param mode of the sign-in, which the record must have as well */
  read(mode: DeviceRef['mode'], { mode: own, accountId, id, binding }: SignInRecord): Binding {
    const [, keyId = '', payload = '', random = '', mac = ''] = SHAPE.exec(binding ?? '') ?? []
    const key = this.keys.find(keyId)
    const name = nameOfRef({ mode, accountId, signInId: id })
    if (!key || own !== mode || !isMacOf(mac, key, VERSION, ...name, payload, random)) return UNKNOWN
    if (payload === OPEN) return UNSETTLED
    const isStale = keyId !== this.keys.signing.id
    if (payload === NONE) return Object.freeze({ kind: 'none', isStale })
    const device = importPublicJwk(decodeJson(payload))
    return device ? Object.freeze({ kind: 'device', key: device, isStale }) : UNKNOWN
  }

  /** The same binding under the current signing key. */
  renewed(ref: Named, binding: Binding): string | null {
    if (binding.kind === 'none') return this.toNothing(ref)
    return binding.kind === 'device' ? this.toDevice(ref, binding.key) : null
  }

  #write(ref: Named, payload: string): string {
    const { id, key } = this.keys.signing
    const random = randomBytes(RANDOM_BYTES).toString('base64url')
    const mac = macOf(key, VERSION, ...nameOfRef(ref), payload, random)
    return [VERSION, id, payload, random, mac].join('.')
  }
}
