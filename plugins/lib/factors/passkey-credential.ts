import { createHash } from 'node:crypto'
import type { Audit } from '../audit.js'
import type { Clock } from '../contract.js'
import { loadOptional } from '../optional.js'
import { type Static, Type } from '../shape.js'
import type { PasskeyChallenges } from './challenges.js'
import type { FactorSource, StoredFactor } from './contract.js'
import type { PasskeySettings } from './options.js'
import { transportsOf } from './passkey-answer.js'

export interface PasskeyParts {
  readonly settings: PasskeySettings
  readonly source: FactorSource
  readonly challenges: PasskeyChallenges
  readonly clock: Clock
  readonly audit: Pick<Audit, 'emit'>
}

export const loadServer = () =>
  loadOptional('@simplewebauthn/server', () => import('@simplewebauthn/server'), 'passkeys')
export const loadHelpers = () =>
  loadOptional('@simplewebauthn/server', () => import('@simplewebauthn/server/helpers'), 'passkeys')

/** The id of a passkey's row. It does not depend on the account, so no credential can belong to two accounts. */
export function passkeyRowId(credentialId: string): string {
  const digest = createHash('sha256').update(Buffer.from(credentialId, 'base64url')).digest('base64url')
  return `pk_${digest}`
}

/** The user handle for authenticators. Contains no name or address (WebAuthn §14.6.1), and never changes. */
export function userHandleOf(accountId: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash('sha256').update(`passkey.${accountId}`).digest())
}

const isPublicCredential = Type.Object(
  { id: Type.String(), key: Type.String(), transports: Type.Unknown },
  { additionalProperties: false },
)

/** The credential of a passkey's row. Null if it is malformed. */
export function credentialOf({ secret }: StoredFactor): Static<typeof isPublicCredential> | null {
  try {
    const value: unknown = JSON.parse(secret)
    return isPublicCredential(value) ? value : null
  } catch {
    return null
  }
}

/** The account's passkeys, in the form for browsers. */
export async function credentialsOf(source: FactorSource, accountId: string) {
  const rows = await source.list(accountId)
  const credentials = rows.filter(({ kind }) => kind === 'passkey').map(credentialOf)
  return credentials.flatMap((each) =>
    each ? [{ id: each.id, transports: transportsOf(each.transports) }] : [],
  )
}

/** The conditions for every answer. @param challenge checked by the caller */
export function expectedOf({ rpId, origins }: PasskeySettings, challenge: string) {
  return {
    expectedChallenge: Buffer.from(challenge).toString('base64url'),
    expectedOrigin: [...origins],
    expectedRPID: rpId,
    requireUserVerification: true,
  }
}
