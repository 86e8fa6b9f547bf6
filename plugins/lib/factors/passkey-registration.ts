import type { VerifiedRegistrationResponse } from '@simplewebauthn/server'
import type { CheckedAccount } from '../contract.js'
import { FactorRefused } from '../errors.js'
import type { Static } from '../shape.js'
import { CHALLENGE_FOR } from './challenges.js'
import type { PasskeyOptions, StoredFactor } from './contract.js'
import { challengeOf, isRegistration, transportsOf } from './passkey-answer.js'
import {
  credentialsOf,
  expectedOf,
  loadHelpers,
  loadServer,
  type PasskeyParts,
  passkeyRowId,
  userHandleOf,
} from './passkey-credential.js'

/** EdDSA, ES256 and RS256 (RFC 9053 §2, RFC 8812 §2). */
const ALGORITHMS = [-8, -7, -257]

/** No attestation, or self attestation by the passkey's own key (WebAuthn §5.1.3 step 21). */
const FORMATS = ['none', 'packed']

const scopeOfRegistration = (accountId: string, subject: string) =>
  ({ purpose: 'register', subject, accountId }) as const

/** Registers passkeys. */
export class PasskeyRegistration {
  constructor(private readonly parts: PasskeyParts) {}

  /** @see Factors.beginPasskey */
  async begin({ id, username }: CheckedAccount, signInId: string): Promise<PasskeyOptions> {
    const { settings, challenges } = this.parts
    const { generateRegistrationOptions } = await loadServer()
    const options = await generateRegistrationOptions({
      rpID: settings.rpId,
      rpName: settings.rpName,
      userID: userHandleOf(id),
      userName: username,
      userDisplayName: username,
      challenge: challenges.make(scopeOfRegistration(id, signInId)),
      timeout: CHALLENGE_FOR,
      attestationType: 'none',
      excludeCredentials: await credentialsOf(this.parts.source, id),
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      supportedAlgorithmIDs: ALGORITHMS,
    })
    return { ...options }
  }

  /** Spends the challenge. @returns the new passkey, which the caller stores @throws FACTOR_REFUSED, STORE_UNAVAILABLE */
  async register(
    { id: accountId }: CheckedAccount,
    signInId: string,
    response: unknown,
    name: string,
  ): Promise<StoredFactor> {
    const { challenges, clock } = this.parts
    const text = isRegistration(response) ? challengeOf(response.response.clientDataJSON) : null
    if (!isRegistration(response) || text === null) throw new FactorRefused()
    if (!challenges.isFor(scopeOfRegistration(accountId, signInId), text)) throw new FactorRefused()
    const info = await this.#verifyRegistration(response, text)
    if (!info || !(await challenges.spend(text))) throw new FactorRefused()
    const { id, publicKey, counter } = info.credential
    const transports = transportsOf(response.response.transports)
    return {
      id: passkeyRowId(id),
      accountId,
      kind: 'passkey',
      name,
      secret: JSON.stringify({ id, key: Buffer.from(publicKey).toString('base64url'), transports }),
      keyId: null,
      counter,
      createdAt: clock(),
      lastUsedAt: null,
    }
  }

  async #verifyRegistration(response: Static<typeof isRegistration>, challenge: string) {
    const { verifyRegistrationResponse } = await loadServer()
    const { decodeAttestationObject } = await loadHelpers()
    const attempt = async () => {
      const { attestationObject } = response.response
      const bytes = new Uint8Array(Buffer.from(attestationObject, 'base64url'))
      // The server asks for no certificate. To check one, the library would fetch an address from the certificate.
      const decoded = decodeAttestationObject(bytes)
      if (!FORMATS.includes(decoded.get('fmt')) || decoded.get('attStmt').get('x5c') !== undefined)
        return null
      return verifyRegistrationResponse({
        response: {
          ...response,
          response: { ...response.response, transports: [] },
          clientExtensionResults: {},
        },
        ...expectedOf(this.parts.settings, challenge),
        supportedAlgorithmIDs: ALGORITHMS,
      })
    }
    const outcome: VerifiedRegistrationResponse | null = await attempt().catch(() => null)
    return outcome?.verified ? outcome.registrationInfo : null
  }
}
