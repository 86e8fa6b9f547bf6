import type { TSchema } from 'typebox'
import { LOGIN, LOGOUT, type Refusal } from './failures.js'

/** What the document says of a route beside what the route's own schema says. */
export interface Operation {
  readonly id: string
  readonly tag: 'Signing in' | 'Who am I' | 'Sign-ins' | 'Accounts' | 'Machinery'
  readonly summary: string
  readonly description?: string
  /** Whether a credential is wanted, of whichever mode. */
  readonly guarded?: boolean
  /** 200 unless it says otherwise. */
  readonly status?: number
  /** `data` of the answer. */
  readonly data?: TSchema
  readonly authType?: boolean
  /** The whole answer, where it is not of the API's form. */
  readonly plain?: TSchema
  readonly refusals: readonly Refusal[]
}

export const login = (id: string, mode: string, gives: string, data?: TSchema): Operation => ({
  id,
  tag: 'Signing in',
  summary: `Sign in by ${mode}`,
  description: `${gives} The sign-in that the request's own credential of this mode stood for is ended.`,
  authType: true,
  ...(data ? { data } : {}),
  refusals: LOGIN,
})

export const logout = (id: string, mode: string, description: string): Operation => ({
  id,
  tag: 'Signing in',
  summary: `Sign out by ${mode}`,
  description: `${description} Signing out twice, or without a credential, is 200 and does nothing.`,
  authType: true,
  refusals: LOGOUT,
})
