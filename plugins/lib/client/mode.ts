import type { Emit } from './events.js'
import type { Held } from './held.js'
import type { Outgoing } from './outgoing.js'
import { codeOf } from './refusals.js'
import type { Tokens } from './tokens.js'
import type { Fields } from './tools.js'

/** How the client carries its credential. */
export interface Mode {
  /** False if nobody is signed in, as far as is known. */
  isIn(): boolean
  /** The tokens, if there are any. */
  held(): Held | null
  /** Loads what is stored. */
  ready?(): Promise<unknown>
  refresh?(): Promise<Response | null>
  /** Sends a request with the credential, and once more if a new credential helps. */
  send(outgoing: Outgoing): Promise<Response>
  /** The codes that say that the sign-in is over, if a guard asks for any mode. */
  readonly over: RegExp
  /** A guard has admitted the credential. */
  confirmed?(): void
  /** Stores a new sign-in. */
  signedIn(data: unknown): Promise<void>
  end(error: string): void
  /** Takes another tab's message. */
  hear(message: Fields): void
  /** The page or the network is back. */
  excuse?(): void
}

/** Sends the access token, and refreshes it. */
export function tokenMode(tokens: Tokens): Mode {
  return {
    ...tokens,
    async send(outgoing) {
      const held = await tokens.ready()
      if (held instanceof Response) return held
      const first = await outgoing.send(held?.pair.token)
      if (!held || (await codeOf(first)) !== 'TOKEN_EXPIRED') return first
      const renewed = await tokens.renew(held)
      if (renewed instanceof Response) return renewed
      if (renewed === held || !outgoing.canRepeat()) return first
      const second = await outgoing.send(renewed.pair.token)
      if ((await codeOf(second)) === 'TOKEN_EXPIRED') tokens.fail()
      return second
    },
    // A proxy that drops the header must not end the sign-in. Neither must a server whose clock is wrong.
    over: /^SIGNED_OUT$/,
  }
}

/** The browser sends the cookie, which no script can read. So the client learns everything from the server's answers. */
export function cookieMode(emit: Emit, ask: () => void): Mode {
  let isIn: boolean | null = null
  return {
    isIn: () => isIn !== false,
    held: () => null,
    send: (outgoing) => outgoing.send(undefined, { credentials: 'include' }),
    over: /^(NOT_)?SIGNED_|^CREDENTIAL_[EI]/,
    confirmed() {
      if (isIn === false) emit({ type: 'signed_in' })
      isIn = true
    },
    async signedIn() {
      isIn = true
      emit({ type: 'signed_in' })
    },
    end(error) {
      // Nobody was known to be signed in, and nobody is.
      const isNews = isIn ?? error !== 'NOT_SIGNED_IN'
      isIn = false
      if (isNews) emit({ type: 'signed_out', error })
    },
    // Somebody has signed in or out.
    hear: ask,
  }
}
