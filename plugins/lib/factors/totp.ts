import type * as Otpauth from 'otpauth'
import { loadOptional } from '../optional.js'

/** The length of a secret: that of a SHA-1 hash, as RFC 4226 §4 recommends. */
const SECRET_BYTES = 20
/** RFC 6238 §4. Some authenticator apps support no other values. */
const OPTIONS = { algorithm: 'SHA1', digits: 6, period: 30 } as const
/** In ms. */
const STEP = OPTIONS.period * 1000
/** Also accepts the steps before and after the current one: people type slowly, and clocks differ (RFC 6238 §5.2). */
const WINDOW = 1
/** Exactly what the app shows. Nothing is normalised. */
const CODE = /^[0-9]{6}$/

export interface Totp {
  /** A new secret, in base32. */
  newSecret(): string
  /** The `otpauth:` URI for a QR code. */
  uri(secret: string, issuer: string, label: string): string
  /** The time step of the code; null if it is wrong. @param now in ms */
  stepOf(secret: string, code: string, now: number): number | null
}

function createTotp({ Secret, TOTP }: typeof Otpauth): Totp {
  const of = (secret: string) => ({ ...OPTIONS, secret: Secret.fromBase32(secret) })
  return Object.freeze({
    newSecret: () => new Secret({ size: SECRET_BYTES }).base32,
    uri: (secret: string, issuer: string, label: string) =>
      new TOTP({ ...of(secret), issuer, label }).toString(),
    stepOf(secret: string, code: string, now: number) {
      if (!CODE.test(code)) return null
      // Compares in constant time.
      const delta = TOTP.validate({ ...of(secret), token: code, timestamp: now, window: WINDOW })
      return delta === null ? null : Math.floor(now / STEP) + delta
    },
  })
}

/** @throws DEPENDENCY_MISSING */
export async function loadTotp(): Promise<Totp> {
  return createTotp(await loadOptional('otpauth', () => import('otpauth'), 'fastify-identity/factors'))
}
