import type { TSchema } from 'typebox'
import type { Refusal } from './failures.js'

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
  readonly plain?: { readonly type: string; readonly schema: TSchema }
  readonly refusals: readonly Refusal[]
}
