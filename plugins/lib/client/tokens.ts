import { alone } from './alone.js'
import { createBackoff } from './backoff.js'
import type { Environment } from './environment.js'
import type { Emit, Message } from './events.js'
import { type Held, hold } from './held.js'
import { refusal } from './refusals.js'
import type { Storage } from './storage.js'
import { SOON } from './times.js'
import { type Fields, jsonOf, single } from './tools.js'

export interface Parts {
  readonly env: Environment
  /** The lock's name. */
  readonly name: string
  /** Tells the other tabs. */
  readonly tell: (message: Message) => void
  readonly storage: Storage | undefined
  /** Whether each tab has a storage of its own, and must save the tokens that another tab sends. */
  readonly isPerTab: boolean
  /** Whether the refresh token is in the refresh cookie. */
  readonly inCookie: boolean
  /** Sends a refresh token; null sends the cookie. */
  readonly exchange: (refreshToken: string | null) => Promise<Response>
  readonly emit: Emit
}

/** The tokens of one sign-in: refreshed in time, by one tab at a time, and shared with the other tabs. */
export interface Tokens {
  /** Null: none are loaded, or nobody is signed in. */
  held(): Held | null
  /** False if nobody is signed in, as far as is known. */
  isIn(): boolean
  /**
   * The tokens for a request. Refreshes them if they have expired, and in the background if they soon will.
   * @returns null if nobody is signed in, and the answer to a refresh that failed
   * @throws what `fetch` throws
   */
  ready(): Promise<Held | Response | null>
  /** These were refused as expired. @returns those that arrived meanwhile, or new ones; else as `ready` */
  renew(used: Held): Promise<Held | Response>
  /** Refreshes the tokens. @returns null, or the answer if it failed @throws what `fetch` throws */
  refresh(): Promise<Response | null>
  /** Call this if new tokens were refused as expired: another refresh would not help. */
  fail(): void
  /** The network is back. */
  excuse(): void
  /** Takes the tokens of a new sign-in. */
  signedIn(data: unknown): Promise<void>
  /** The sign-in is over, for the other tabs too. */
  end(error: string): void
  /** Takes another tab's message. One that comes late, or is of another sign-in, changes nothing. */
  hear(message: Fields): void
}

const REFUSED = 'REFRESH_REFUSED'

export function createTokens(parts: Parts): Tokens {
  const { env, name, tell, storage, isPerTab, inCookie, exchange, emit } = parts
  let held: Held | null = null
  /** Known to be signed out. The storage is empty too. */
  let isOut = !inCookie && !storage
  let endedId: unknown = null
  let failure: Promise<Response> | null = null
  const backoff = createBackoff(env)

  function put(next: Held): void {
    held = next
    isOut = false
    failure = null
    backoff.reset()
  }

  /** By the time that the storage answers, it may have a newer token. If it does not answer, it keeps what it has. */
  function end(error: string, token: string | null | undefined): void {
    endedId = held?.sid
    held = null
    isOut = true
    emit({ type: 'signed_out', error })
    if (token)
      storage
        ?.load()
        .then((stored) => stored === token && storage.save(null))
        .catch(() => {})
  }

  /** Uses the tokens once they are stored. Another tab has stored its own, unless each has a storage of its own. */
  async function keep(before: Held | null, next: Held, isOwn = true): Promise<undefined> {
    const { pair, sid } = next
    if (isOwn || isPerTab) await storage?.save(pair.refresh_token ?? null)
    emit({ type: before?.sid === sid ? 'refreshed' : 'signed_in', pair })
  }

  /** Runs no code of the application, because other tabs wait for it. @returns the work to do afterwards */
  async function exchangeAlone(
    before: Held | null,
    token: string | null,
  ): Promise<(() => Promise<Response | null | undefined>) | null> {
    for (let isLast = false; ; isLast = true) {
      const trying = exchange(token)
      const answer = await trying.catch(() => null)
      const { data, error }: Fields = answer ? await jsonOf(answer) : {}
      const next = hold(data, env.now())
      // Something newer has happened meanwhile.
      if (held !== before) return null
      if (next) {
        put(next)
        tell({ before: token, pair: next.pair })
        return () => keep(before, next)
      }
      if (error === REFUSED || (inCookie && answer?.status === 400)) return async () => over(before, token)
      failure = trying
      backoff.fail(answer)
      if (isLast || backoff.left() > SOON) return () => trying
      await env.wait(backoff.left())
    }
  }

  function endAll(error: string, token: string | null | undefined): void {
    tell({ ended: held?.sid })
    end(error, token)
  }

  /** Without a sign-in before, nothing has ended. */
  function over(before: Held | null, token: string | null): Response | null {
    if (held !== before) return null
    isOut = true
    if (!before && !token) return null
    endAll(REFUSED, token)
    return refusal(REFUSED)
  }

  async function refreshNow(): Promise<Response | null | undefined> {
    // After `fail`, there is none.
    if (backoff.left() > 0) return failure
    const before = held
    // Another tab may have stored a newer one. So a storage that is silent stops the refresh: the old one could count as stolen.
    const token = (await storage?.load()) ?? before?.pair.refresh_token ?? null
    if (!token && !inCookie) isOut = true
    const after = await alone(env, name, async () =>
      // Another tab may have done it meanwhile.
      held === before && !isOut ? exchangeAlone(before, token) : null,
    )
    return after?.()
  }

  const refreshOnce = single(refreshNow)
  const refresh = async () => (await refreshOnce())?.clone() ?? null

  async function renew(used: Held): Promise<Held | Response> {
    const failed = held === used ? await refresh() : null
    // By now another person may be signed in. This request was not made in that person's name.
    return failed ?? (held?.sid === used.sid && held ? held : refusal('SIGNED_OUT'))
  }

  async function ready(): Promise<Held | Response | null> {
    if (!held) return isOut ? null : ((await refresh()) ?? held)
    const left = held.until - env.now()
    if (left <= 0) return renew(held)
    if (left < held.margin) refresh().catch(() => {})
    return held
  }

  return {
    held: () => held,
    isIn: () => !isOut,
    ready,
    renew,
    refresh,
    ...backoff,
    async signedIn(data) {
      const next = hold(data, env.now())
      if (!next) return
      put(next)
      if (inCookie) tell({ before: null, pair: next.pair })
      await keep(null, next)
    },
    end(error) {
      if (!isOut) endAll(error, held?.pair.refresh_token)
    },
    hear({ before: token, pair, ended }) {
      const before = held
      const next = hold(pair, env.now())
      if (!next) {
        if (before && before.sid === ended) end('SIGNED_OUT', before.pair.refresh_token)
        return
      }
      const isOurs = inCookie ? token === null : before?.pair.refresh_token === token
      const isLate = before && Number(next.iat) < Number(before.iat)
      if (!isOurs || isLate || next.sid === endedId) return
      put(next)
      void keep(before, next, false)
    },
  }
}
