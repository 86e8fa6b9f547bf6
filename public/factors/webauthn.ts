import type { Failure } from '../lib/api.js'
import { type Decoder, listOf, number, oneOf, shape, text } from '../lib/decode.js'
import { factorTexts } from './text.js'

/*
 * Passkeys (Web Authentication, Level 3). The server's JSON has bytes in base64url. Some browsers cannot convert it, so
 * this file does.
 */

const bytes: Decoder<Uint8Array<ArrayBuffer>> = (value) => {
  const binary = atob(text(value).replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(binary, (character) => character.charCodeAt(0))
}

function base64url(data: ArrayBuffer): string {
  const binary = String.fromCharCode(...new Uint8Array(data))
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

const TRANSPORTS = ['ble', 'hybrid', 'internal', 'nfc', 'usb'] as const

/** Leaves out transports that this page does not know. */
const transports: Decoder<AuthenticatorTransport[]> = (value) =>
  TRANSPORTS.filter((name) => Array.isArray(value) && value.includes(name))

const type = oneOf('public-key')
const descriptors = (value: unknown) => [...listOf(shape({ id: bytes, type, transports }))(value ?? [])]
const strength = oneOf('discouraged', 'preferred', 'required')

const requestOptions = shape({
  challenge: bytes,
  rpId: text,
  timeout: number,
  userVerification: strength,
  allowCredentials: descriptors,
})

const creationOptions = shape({
  challenge: bytes,
  rp: shape({ id: text, name: text }),
  user: shape({ id: bytes, name: text, displayName: text }),
  pubKeyCredParams: (value) => [...listOf(shape({ type, alg: number }))(value)],
  timeout: number,
  excludeCredentials: descriptors,
  authenticatorSelection: shape({ residentKey: strength, userVerification: strength }),
  attestation: oneOf('none'),
})

const common = (credential: PublicKeyCredential) => ({
  id: credential.id,
  rawId: credential.id,
  type: credential.type,
  authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
  clientExtensionResults: {},
})

function assertionJson(credential: PublicKeyCredential, response: AuthenticatorAssertionResponse): object {
  const { clientDataJSON, authenticatorData, signature, userHandle } = response
  return {
    ...common(credential),
    response: {
      clientDataJSON: base64url(clientDataJSON),
      authenticatorData: base64url(authenticatorData),
      signature: base64url(signature),
      userHandle: userHandle ? base64url(userHandle) : undefined,
    },
  }
}

function attestationJson(
  credential: PublicKeyCredential,
  response: AuthenticatorAttestationResponse,
): object {
  return {
    ...common(credential),
    response: {
      clientDataJSON: base64url(response.clientDataJSON),
      attestationObject: base64url(response.attestationObject),
      transports: response.getTransports(),
    },
  }
}

function jsonOf(credential: Credential | null): object {
  if (credential instanceof PublicKeyCredential) {
    const { response } = credential
    if (response instanceof AuthenticatorAssertionResponse) return assertionJson(credential, response)
    if (response instanceof AuthenticatorAttestationResponse) return attestationJson(credential, response)
  }
  throw new TypeError('The browser gave no passkey.')
}

/**
 * Asks the browser to prove a passkey.
 * @param mediation `conditional`: the browser offers passkeys only as suggestions for the username
 * @returns the proof as JSON for the server
 * @throws DOMException if the person or the browser refuses
 */
export async function usePasskey(
  options: unknown,
  signal: AbortSignal | null = null,
  mediation: CredentialMediationRequirement = 'optional',
): Promise<object> {
  const wanted: CredentialRequestOptions = { publicKey: requestOptions(options), mediation }
  return jsonOf(await navigator.credentials.get(signal ? { ...wanted, signal } : wanted))
}

/** Asks the browser to create a passkey. @throws DOMException if the person or the browser refuses */
export const makePasskey = async (options: unknown): Promise<object> =>
  jsonOf(await navigator.credentials.create({ publicKey: creationOptions(options) }))

const CODES: Readonly<Record<string, string>> = {
  InvalidStateError: 'PASSKEY_KNOWN',
  SecurityError: 'PASSKEY_ADDRESS',
}

/** Why there is no passkey. Browsers report a cancellation and a timeout in the same way. */
export function passkeyFailure(error: unknown): Failure {
  const code = (error instanceof DOMException && CODES[error.name]) || 'PASSKEY_CANCELLED'
  return { status: 0, code, msg: factorTexts().happened[code] ?? '', reason: null, retryAt: null }
}
