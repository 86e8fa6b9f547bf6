import type { TSchema } from 'typebox'
import type { MessageKey } from '../http/messages.js'
import type { ErrorCode } from './failures.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What `/docs` says of the route. A route without it is left out. */
    operation?: Operation
  }
}

export type Mode = 'token' | 'session' | 'cookie'

/** Facts about a route for the document, in addition to the route's own schema. */
export interface Operation {
  readonly id: string
  readonly tag:
    | 'Signing in'
    | 'Second factors'
    | 'Who am I'
    | 'Sign-ins'
    | 'API keys'
    | 'Accounts'
    | 'Machinery'
  readonly summary: string
  readonly description?: string
  /** Whether it needs a credential: of any mode, or of any except an API key. */
  readonly guarded?: true | 'people'
  /** Whether a browser with a bound sign-in is redirected once, to prove its device again. */
  readonly isProved?: boolean
  /** An optional credential. */
  readonly takes?: 'token'
  /** 200 by default. */
  readonly status?: number
  /** `data` of the answer. */
  readonly data?: TSchema
  /** Whether the answer has `next`, the value of `after` for the next page. */
  readonly isPaged?: boolean
  /** `auth_type` of the answer; `any`: the caller's. */
  readonly authType?: Mode | 'any'
  /** `msg` of the answer. */
  readonly says?: MessageKey
  /** The body, if the route has no schema for it. */
  readonly body?: TSchema
  /** An example of the body. */
  readonly bodyExample?: object
  /** The whole answer, if it does not have the API's form. */
  readonly plain?: { readonly type: string; readonly schema: TSchema }
  readonly refusals: readonly ErrorCode[]
}
