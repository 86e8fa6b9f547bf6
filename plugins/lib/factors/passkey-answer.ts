import { Type } from '../shape.js'

/* The result of the browser's `navigator.credentials`, as JSON (WebAuthn §5.1). This file checks only its form. */

const bytes = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: '^[\\w-]+$' })

/** A credential id has at most 1023 bytes (WebAuthn §4). */
const Id = bytes(1364)
const ClientData = bytes(8192)

const Credential = { id: Id, rawId: Id, type: Type.Literal('public-key') }

/** The known transports (WebAuthn §5.8.4). The browser gets them back as hints. */
const TRANSPORTS = ['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb'] as const
type Transport = (typeof TRANSPORTS)[number]

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

/** The known transports of the list, each once. */
export function transportsOf(given: unknown): Transport[] {
  return Array.isArray(given) ? TRANSPORTS.filter((known) => given.includes(known)) : []
}

const isClientData = Type.Object({
  challenge: Type.String({ minLength: 1, maxLength: 1024 }),
  crossOrigin: Type.Optional(Type.Unknown),
})

/**
 * The challenge that the browser answered. Null if the answer comes from a frame in a page of another site: there, people
 * do not see which site asks them.
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
