import type { Environment } from './environment.js'
import { within } from './tools.js'

/**
 * Where the refresh token is kept, for example a database that all tabs share. The functions must not use the client: it may
 * be waiting for them. It waits three seconds at most.
 */
export interface TokenStorage {
  /** Returns what `save` got last, or null. */
  load(): Promise<string | null>
  /** @param refreshToken null if there is none any more */
  save(refreshToken: string | null): Promise<void>
}

/** `memory` ends with the page, `session` with the tab. `cookie`: in the refresh cookie, which only the server can read. */
export type StorageChoice = 'memory' | 'session' | 'cookie' | TokenStorage

/** In milliseconds. */
const PATIENCE = 3000

/** Web Storage. A browser that blocks it throws. */
declare const sessionStorage: {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
  removeItem(key: string): void
}

const inSession = (key: string): TokenStorage => ({
  load: async () => sessionStorage.getItem(key),
  save: async (token) => (token ? sessionStorage.setItem(key, token) : sessionStorage.removeItem(key)),
})

/** Never throws, and answers in time: undefined if the storage does not. */
export interface Storage {
  load(): Promise<string | null | undefined>
  save(refreshToken: string | null): Promise<unknown>
}

/** Undefined if the client has nothing to store. */
export function openStorage(choice: StorageChoice, key: string, env: Environment): Storage | undefined {
  const inner = choice === 'session' ? inSession(key) : choice
  if (typeof inner !== 'object') return undefined
  // Asynchronous, so that what a function throws at once is caught too.
  const patiently = <T>(work: () => Promise<T>) =>
    within(env, PATIENCE, (async () => work())()).catch(() => undefined)
  return {
    load: () => patiently(() => inner.load()),
    save: (token) => patiently(() => inner.save(token)),
  }
}
