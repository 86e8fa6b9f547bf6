import type { TSchema } from 'typebox'
import type { MessageKey } from '../http/messages.js'
import type { Refusal } from './failures.js'

/** What the document says of a route beside what the route's own schema says. */
export interface Operation {
  readonly id: string
  readonly tag: 'Signing in' | 'Who am I' | 'Sign-ins' | 'Accounts' | 'Machinery'
  readonly summary: string
  readonly description?: string
  /** Whether a credential is wanted, of whichever mode. */
  readonly guarded?: boolean
  /** The credential that it takes, and does without. */
  readonly takes?: 'token'
  /** 200 unless it says otherwise. */
  readonly status?: number
  /** `data` of the answer. */
  readonly data?: TSchema
  /** Whether the answer says beside `data` what to ask for as `after`. */
  readonly isPaged?: boolean
  /** Of the answer: `any`, where it is the caller's. */
  readonly authType?: 'token' | 'session' | 'cookie' | 'any'
  /** `msg` of the answer. */
  readonly says?: MessageKey
  /** What to send, where the route itself has no schema of it. */
  readonly body?: TSchema
  /** What somebody may send. */
  readonly bodyExample?: object
  /** The whole answer, where it is not of the API's form. */
  readonly plain?: { readonly type: string; readonly schema: TSchema }
  readonly refusals: readonly Refusal[]
}
