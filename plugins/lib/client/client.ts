import { alone } from './alone.js'
import type { LiveEvent, SignedInByFactor, TokenPair } from './answers.js'
import { type Environment, findEnvironment } from './environment.js'
import type { ClientEvent } from './events.js'
import { liveEvents } from './live.js'
import { cookieMode, tokenMode } from './mode.js'
import type { ClientOptions, Credentials, Proof } from './options.js'
import { type Init, type Input, makeOutgoing } from './outgoing.js'
import { post } from './post.js'
import { codeOf } from './refusals.js'
import { type Result, resultOf } from './result.js'
import { openStorage } from './storage.js'
import { REFRESH_LIMIT, SIGN_LIMIT } from './times.js'
import { createTokens } from './tokens.js'
import { fieldsOf, single } from './tools.js'

export type * from './answers.js'
export type { ClientEvent } from './events.js'
export type { ClientOptions, Credentials, FactorProof, Proof } from './options.js'
export type { Result } from './result.js'
export type { StorageChoice, TokenStorage } from './storage.js'

/** Headers (such as `Accept-Language`) for signing in and out. */
export type SignInit = Pick<Init, 'headers'>

/** A client for one person. On a server, make one for each request: it holds their credential. */
export interface Client {
  /**
   * Works like the global `fetch`, and adds the credential to requests to the user center's origin. Relative addresses
   * count from `baseUrl`.
   */
  readonly fetch: (input: Input, init?: Init) => Promise<Response>
  /** @throws what `fetch` throws if there is no answer */
  signIn(credentials: Credentials, init?: SignInit): Promise<Result<TokenPair | undefined>>
  /**
   * Finishes a sign-in that was refused with `SECOND_FACTOR_REQUIRED`, signs in by a passkey alone, or makes the sign-in
   * stronger and recent again (step-up).
   * @throws what `fetch` throws if there is no answer
   */
  prove(proof: Proof, init?: SignInit): Promise<Result<SignedInByFactor | undefined>>
  /** Unless `ok`, the person is still signed in. @throws what `fetch` throws if there is no answer */
  signOut(init?: SignInit): Promise<Result<undefined>>
  /**
   * Refreshes the tokens before they are due. Without effect in the other modes.
   * @returns nothing, or the answer if it failed
   * @throws what `fetch` throws if there is no answer
   */
  refresh(): Promise<Response | null | undefined>
  /**
   * The events of `GET /live`. Reconnects by itself, and ends when the sign-in does. Tabs that share a sign-in share
   * a connection.
   */
  live(options?: { readonly signal?: AbortSignal }): AsyncGenerator<LiveEvent, void, undefined>
  /** @returns a function that stops it */
  subscribe(listener: (event: ClientEvent) => void): () => void
  /** Ends live events and stops listening to the page and to other tabs. */
  close(): void
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

declare const location: { readonly origin: string }

/** @throws TypeError if `baseUrl` is no URL, ReferenceError if it is missing outside of a page */
export function createClient({
  baseUrl = location.origin,
  mode: name = 'token',
  storage: choice = 'memory',
  bound = false,
  onSignedOut,
  environment,
}: ClientOptions = {}): Client {
  const env: Mutable<Environment> = { ...findEnvironment(), ...environment }
  const base = new URL(baseUrl)
  const plain = env.fetch
  if (bound) env.fetch = async (input, init) => (await import('./bound.js')).send(plain, base, input, init)
  const key = `fastify-identity ${name} ${bound} ${base}`
  const isToken = name === 'token'
  const inCookie = isToken && choice === 'cookie'
  // With tokens in memory, requests must not carry another client's refresh cookie.
  const credentials = isToken && !inCookie ? 'omit' : 'include'
  const closed = new AbortController()
  const listeners = new Set<(event: ClientEvent) => void>()
  let channel = env.openChannel?.(key)
  const tell = (message: object) => channel?.postMessage(message)

  /** Listeners do not delay the client, and their errors do not reach it. */
  const emit = (event: ClientEvent) => {
    for (const listener of listeners) queueMicrotask(() => listener(event))
  }

  // The browser finishes it even if the page is left. Otherwise the cookie's successor could be lost.
  const exchange = (refresh_token: string | null) =>
    post(
      env,
      base,
      'refresh_token',
      REFRESH_LIMIT,
      { keepalive: true, credentials },
      inCookie ? undefined : { refresh_token },
    )
  const storage = openStorage(choice, key, env)
  const parts = { env, name: key, tell, storage, isPerTab: choice === 'session', inCookie, exchange, emit }
  const mode = isToken ? tokenMode(createTokens(parts)) : cookieMode(emit, () => ask())
  if (channel) channel.onmessage = ({ data }) => mode.hear(fieldsOf(data))

  const request = (path: string, init?: Init) => mode.send(makeOutgoing(env, base, path, init))

  async function askNow(): Promise<void> {
    const sid = mode.held()?.sid
    // Unlike /user_info, it refuses a bad token also if a good cookie came with it.
    const response = await request('sign_ins?limit=1')
    const code = await codeOf(response)
    if (mode.held()?.sid !== sid) return
    if (mode.over.test(code)) mode.end(code)
    else if (response.ok) mode.confirmed?.()
  }

  /** Asks whether the sign-in is over, one question at a time. If no answer comes, it counts as live. */
  const ask = single(() => askNow().catch(() => {}))

  /** Without locks, or before a sign-in is known, each reader has a connection of its own. */
  const keyOfLive = async (): Promise<string> => {
    await mode.ready?.().catch(() => {})
    const shared = isToken ? mode.held()?.sid : name
    return `${key} ${(env.locks && shared) ?? env.random()}`
  }

  const sign = async <T>(path: string, init: SignInit | undefined, body: object) =>
    resultOf<T>(
      await post(env, base, path, SIGN_LIMIT, { credentials, ...init }, body, mode.held()?.pair.token),
    )

  listeners.add((event) => event.type === 'signed_out' && onSignedOut?.(event.error))
  // A timer may have slept, and proves nothing. So the server is asked.
  env.onReturn?.(() => {
    mode.excuse?.()
    if (mode.isIn()) void ask()
  }, closed.signal)

  return {
    async fetch(input, init) {
      const outgoing = makeOutgoing(env, base, input, init)
      if (!outgoing.isOurs) return outgoing.send()
      const response = await mode.send(outgoing)
      if (mode.isIn() && mode.over.test(await codeOf(response))) void ask()
      return response
    },
    async signIn(who, init) {
      const result = await sign<TokenPair | undefined>(`login_${name}`, init, {
        ...who,
        refresh_cookie: inCookie || undefined,
      })
      if (!result.ok) return result
      await mode.signedIn(result.answer.data)
      if (!isToken) tell({})
      return result
    },
    prove: async (proof, init) =>
      (await import('./prove.js')).prove(proof, init, mode, parts, alone, name, sign),
    async signOut(init) {
      // On a page that has just been loaded, the tokens may only be stored.
      const failed = !mode.held() && (await mode.refresh?.())
      if (mode.isIn() && failed) return resultOf(failed)
      const held = mode.held()
      const result = await sign<undefined>(`logout_${name}`, init, {
        refresh_token: held?.pair.refresh_token,
      })
      if (!result.ok) return result
      if (mode.held()?.sid === held?.sid) mode.end('SIGNED_OUT')
      if (!isToken) tell({})
      return result
    },
    refresh: async () => mode.refresh?.(),
    live: ({ signal = closed.signal } = {}) =>
      liveEvents(
        { env, open: (init) => request('live', init), isStillIn: () => ask().then(mode.isIn) },
        keyOfLive,
        [closed.signal, signal],
      ),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close() {
      closed.abort()
      // A closed channel throws, which must not stop a refresh that is under way.
      channel = void channel?.close()
    },
  }
}
