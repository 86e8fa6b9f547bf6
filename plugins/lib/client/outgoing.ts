import type { Environment } from './environment.js'

export type Input = Parameters<typeof fetch>[0]
export type Init = NonNullable<Parameters<typeof fetch>[1]>

/** A request of the application, which may have to be sent twice. */
export interface Outgoing {
  /** Whether it may carry our credential: it goes to our server, and has none of its own. */
  readonly isOurs: boolean
  /** Whether it can be sent again. A body that was read as a stream is gone. */
  canRepeat(): boolean
  send(token?: string, init?: Init): Promise<Response>
}

export function makeOutgoing(env: Environment, base: URL, input: Input, init: Init = {}): Outgoing {
  const request = input instanceof Request ? input : null
  const url = new URL(input instanceof Request ? input.url : input, base)
  const given = new Headers(init.headers ?? request?.headers)
  return {
    isOurs: url.origin === base.origin && !given.has('authorization'),
    canRepeat() {
      // Not every browser has `Request.body`.
      return !(request?.bodyUsed || Symbol.asyncIterator in Object(init.body))
    },
    send(token, more) {
      const headers = new Headers(given)
      if (token) headers.set('authorization', `Bearer ${token}`)
      return env.fetch(request ?? url, { ...more, ...init, headers, token })
    },
  }
}
