import type { PurposeKeys } from '../credentials/keys.js'
import { isUnderSigningKey, seal, unseal } from '../session/seal.js'
import type { StoredFactor } from './contract.js'

/** The factor that a secret belongs to. A secret that is copied to another factor cannot be opened. */
function nameOf({ accountId, id }: Pick<StoredFactor, 'accountId' | 'id'>): string {
  return JSON.stringify(['totp', accountId, id])
}

/** A sealed secret, and the id of the key that seals it. */
export interface SealedSecret {
  readonly secret: string
  readonly keyId: string
}

/**
 * Seals TOTP secrets with the key ring. Hashes are no alternative, because the server needs the secrets to verify codes.
 * An attacker who reads the database and does not know `AUTH_SECRETS` cannot make codes.
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

  /** The secret sealed with the signing key. Empty if it already is. */
  renewed(factor: StoredFactor, secret: string): Partial<SealedSecret> {
    return isUnderSigningKey(this.keys, factor.secret) ? {} : this.seal(factor, secret)
  }
}
