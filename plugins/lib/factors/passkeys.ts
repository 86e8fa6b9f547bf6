import type { FastifyRequest } from 'fastify'
import type { FactorRefusal } from '../audit-events.js'
import type { Static } from '../shape.js'
import { CHALLENGE_FOR } from './challenges.js'
import type { ChallengeScope, PasskeyOptions, StoredFactor } from './contract.js'
import { challengeOf, isAssertion } from './passkey-answer.js'
import {
  credentialOf,
  credentialsOf,
  expectedOf,
  loadServer,
  type PasskeyParts,
  passkeyRowId,
  userHandleOf,
} from './passkey-credential.js'

export interface PasskeyOwner {
  readonly accountId: string
}

/**
 * `challenge`: the answer is for another challenge, or late. `used`: the challenge was used before. `cloned`: a copy of
 * the key made the answer. `wrong`: any other reason.
 */
export type PasskeyRefusal = Exclude<FactorRefusal, 'key_lost'>

/** Verifies passkeys. Demands user verification, so each counts as two factors. */
export class Passkeys {
  constructor(private readonly parts: PasskeyParts) {}

  /** @see Factors.challenge */
  async options(scope: ChallengeScope): Promise<PasskeyOptions> {
    const { settings, challenges } = this.parts
    const { generateAuthenticationOptions } = await loadServer()
    const own = scope.accountId === null ? null : await credentialsOf(this.parts.source, scope.accountId)
    const options = await generateAuthenticationOptions({
      rpID: settings.rpId,
      challenge: challenges.make(scope),
      timeout: CHALLENGE_FOR,
      userVerification: 'required',
      ...(own ? { allowCredentials: own } : {}),
    })
    return { ...options }
  }

  /**
   * Verifies an answer and spends its challenge.
   * @returns the owner of the passkey, or the reason for the refusal
   * @throws STORE_UNAVAILABLE
   */
  async verify(
    scope: ChallengeScope,
    response: unknown,
    request: FastifyRequest,
  ): Promise<PasskeyOwner | PasskeyRefusal> {
    const { source, challenges } = this.parts
    if (!isAssertion(response)) return 'wrong'
    const text = challengeOf(response.response.clientDataJSON)
    if (text === null || !challenges.isFor(scope, text)) return 'challenge'
    const row = await source.find(passkeyRowId(response.id))
    if (row?.kind !== 'passkey' || !isOf(row, scope, response.response.userHandle)) return 'wrong'
    const counter = await this.#verifyAssertion(row, response, text)
    if (counter === null) return 'wrong'
    return (await challenges.spend(text)) ? this.#spend(row, counter, request) : 'used'
  }

  /** @returns the answer's signature counter; null if the answer is wrong */
  async #verifyAssertion(
    row: StoredFactor,
    response: Static<typeof isAssertion>,
    challenge: string,
  ): Promise<number | null> {
    const { verifyAuthenticationResponse } = await loadServer()
    const known = credentialOf(row)
    if (!known) return null
    const { userHandle, ...rest } = response.response
    const outcome = await verifyAuthenticationResponse({
      response: { ...response, response: rest, clientExtensionResults: {} },
      ...expectedOf(this.parts.settings, challenge),
      // `#spend` checks the counter. Here, a copied key would look like any wrong answer.
      credential: {
        id: known.id,
        publicKey: new Uint8Array(Buffer.from(known.key, 'base64url')),
        counter: 0,
      },
    }).catch(() => null)
    return outcome?.verified ? outcome.authenticationInfo.newCounter : null
  }

  /** A counter that does not grow means a copied key (WebAuthn §6.1.1). If it stays 0, the authenticator has none. */
  async #spend(
    row: StoredFactor,
    counter: number,
    request: FastifyRequest,
  ): Promise<PasskeyOwner | PasskeyRefusal> {
    const { source, clock, audit } = this.parts
    // A parallel answer may have changed the row. Or the passkey was removed, and added to another account.
    for (let known: StoredFactor | null = row; isSame(known, row); known = await source.find(row.id)) {
      const { accountId, id, counter: before } = known
      if (counter <= before && (counter > 0 || before > 0)) {
        audit.emit({ type: 'passkey_cloned', accountId, kind: 'passkey', factorId: id }, request)
        return 'cloned'
      }
      if (await source.spend(accountId, id, before, { counter, at: clock() })) return { accountId }
    }
    return 'wrong'
  }
}

function isSame(known: StoredFactor | null, { accountId, secret }: StoredFactor): known is StoredFactor {
  return known !== null && known.accountId === accountId && known.secret === secret
}

/** A sign-in by passkey alone names its account by the user handle (WebAuthn §7.2 step 6). */
function isOf(
  { accountId }: StoredFactor,
  scope: ChallengeScope,
  userHandle: string | null | undefined,
): boolean {
  const given = userHandle ?? null
  const own = Buffer.from(userHandleOf(accountId)).toString('base64url')
  if (given !== null && given !== own) return false
  return scope.accountId === null ? given !== null : scope.accountId === accountId
}
