import type { PurposeKeys } from '../credentials/keys.js'
import { isUnderSigningKey, seal, unseal } from '../session/seal.js'
import type { StoredFactor } from './contract.js'

/** The record that a secret belongs to. In another one it does not open. */
function nameOf({ accountId, id }: Pick<StoredFactor, 'accountId' | 'id'>): string {
  return JSON.stringify(['totp', accountId, id])
}

/** A sealed secret, and the id of the key that seals it. */
export interface SealedSecret {
  readonly secret: string
  readonly keyId: string
}

/**
 * Seals the secrets of TOTP under the key ring. The server must know them to verify codes, so hashes would not do. Somebody
 * who reads the database without `AUTH_SECRETS` cannot make codes.
 */
export class FactorSeal {
  constructor(readonly keys: PurposeKeys) {}

  seal(factor: Pick<StoredFactor, 'accountId' | 'id'>, secret: string): SealedSecret {
    return { secret: seal(this.keys, nameOf(factor), secret), keyId: this.keys.signing.id }
  }

  /** Null if the secret was altered or moved, or its key has left the ring. */
  open(factor: StoredFactor): string | null {
    return unseal(this.keys, nameOf(factor), factor.secret)
  }

  /** Under the signing key; nothing if it is already. */
  renewed(factor: StoredFactor, secret: string): Partial<SealedSecret> {
    return isUnderSigningKey(this.keys, factor.secret) ? {} : this.seal(factor, secret)
  }
}
