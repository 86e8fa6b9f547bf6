import type { FastifyRequest } from 'fastify'
import type { Account, ModeName, SignInOptions } from '../contract.js'
import type { SecondFactorRequired } from '../errors.js'

/** A sign-in whose password was right. */
export interface RightPassword {
  readonly mode: ModeName
  readonly account: Account
  /** As typed. */
  readonly username: string
  readonly options: PasswordSignInOptions
}

/** Options of a sign-in by password. */
export interface PasswordSignInOptions extends Omit<SignInOptions, 'factors' | 'replaces'> {
  /** JSON for the route that finishes the sign-in. `app.factors.finishSignIn` returns it. */
  readonly memo?: unknown
}

/**
 * Makes a pending sign-in if the account has a second factor.
 * @returns the refusal that asks for it; null if the password is enough
 * @throws STORE_UNAVAILABLE
 */
export type AskFactor = (
  request: FastifyRequest,
  signIn: RightPassword,
) => Promise<SecondFactorRequired | null>

export const kAskFactor = Symbol('fastify-identity.ask-factor')

// An alias, because the declarations would lose a type that is only used inside the augmentation.
type Ask = AskFactor

declare module 'fastify' {
  interface FastifyInstance {
    /** Set if the application has second factors. The throttle calls it after a right password. */
    [kAskFactor]?: Ask
  }
}
