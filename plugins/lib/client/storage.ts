import type { Environment } from './environment.js'
import { STORAGE_LIMIT } from './times.js'
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

/** Answers in time. A storage that fails is one without content. */
export interface Storage {
  /** @throws DOMException (`TimeoutError`) if the storage is silent. Then it may have a token, and nobody knows which */
  load(): Promise<string | null>
  /** Never throws. */
  save(refreshToken: string | null): Promise<unknown>
}

/** Undefined if the client has nothing to store. */
export function openStorage(choice: StorageChoice, key: string, env: Environment): Storage | undefined {
  const inner = choice === 'session' ? inSession(key) : choice
  if (typeof inner !== 'object') return undefined
  // Asynchronous, so that what a function throws at once is caught too.
  return {
    load: () =>
      within(
        env,
        STORAGE_LIMIT,
        (async () => inner.load())().catch(() => null),
      ),
    save: (token) => within(env, STORAGE_LIMIT, (async () => inner.save(token))()).catch(() => {}),
  }
}
