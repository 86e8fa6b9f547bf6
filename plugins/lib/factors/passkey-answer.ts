import { Type } from '../shape.js'

/* What a browser sends of `navigator.credentials`, as JSON (WebAuthn §5.1). Only its form is checked here. */

const bytes = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: '^[\\w-]+$' })

/** A credential id has at most 1023 bytes (WebAuthn §4). */
const Id = bytes(1364)
const ClientData = bytes(8192)

const Credential = { id: Id, rawId: Id, type: Type.Literal('public-key') }

/** The transports that are known (WebAuthn §5.8.4). A browser gets them back as hints. */
const TRANSPORTS = ['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb'] as const
export type Transport = (typeof TRANSPORTS)[number]

export const isRegistration = Type.Object({
  ...Credential,
  response: Type.Object({
    clientDataJSON: ClientData,
    attestationObject: bytes(16_384),
    transports: Type.Optional(Type.Unknown),
  }),
})

export const isAssertion = Type.Object({
  ...Credential,
  response: Type.Object({
    clientDataJSON: ClientData,
    authenticatorData: bytes(8192),
    signature: bytes(8192),
    userHandle: Type.Optional(Type.Union([Type.Null, Type.String({ maxLength: 128 })])),
  }),
})

/** Those that are known, each once. */
export function transportsOf(given: unknown): Transport[] {
  return Array.isArray(given) ? TRANSPORTS.filter((known) => given.includes(known)) : []
}

const isClientData = Type.Object({
  challenge: Type.String({ minLength: 1, maxLength: 1024 }),
  crossOrigin: Type.Optional(Type.Unknown),
})

/**
 * The challenge that the browser says it has answered. Null for an answer from a frame in a page of another site, in
 * which people do not see where they are.
 */
export function challengeOf(clientDataJSON: string): string | null {
  try {
    const data: unknown = JSON.parse(Buffer.from(clientDataJSON, 'base64url').toString())
    if (!isClientData(data) || (data.crossOrigin !== undefined && data.crossOrigin !== false)) return null
    return Buffer.from(data.challenge, 'base64url').toString()
  } catch {
    return null
  }
}
