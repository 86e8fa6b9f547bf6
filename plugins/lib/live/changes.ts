import type { StateStore } from '../stores/contract.js'

/** Carries the ids of accounts whose list of sign-ins has changed to other processes. Best effort. */
export interface ChangesChannel {
  /** Never throws. */
  publish(accountId: string): void
  /** Begins to hear of other processes' changes, once. null: any account's list may have changed. */
  subscribe(hear: (accountId: string | null) => void): void
  close(): void
}

/** For a store that at most tells that another process has written. */
export function channelOf(store: Pick<StateStore, 'onForeignWrite'>): ChangesChannel {
  let leave = () => {}
  return {
    publish() {},
    subscribe(hear) {
      leave = store.onForeignWrite?.(() => hear(null)) ?? leave
    },
    close: () => leave(),
  }
}

/** Tells listeners of an account that its list of sign-ins may have changed. */
export class Changes {
  readonly #listeners = new Map<string, Set<() => void>>()
  #isSubscribed = false

  constructor(private readonly channel: ChangesChannel) {}

  /** Called where the change was made. */
  tell(accountId: string): void {
    this.#hear(accountId)
    this.channel.publish(accountId)
  }

  /** @returns a function that ends the subscription */
  listen(accountId: string, listener: () => void): () => void {
    this.#subscribe()
    const known = this.#listeners.get(accountId) ?? new Set()
    this.#listeners.set(accountId, known.add(listener))
    return () => {
      known.delete(listener)
      if (known.size === 0 && this.#listeners.get(accountId) === known) this.#listeners.delete(accountId)
    }
  }

  close(): void {
    this.channel.close()
  }

  /** Not before somebody listens: it takes a connection. */
  #subscribe(): void {
    if (this.#isSubscribed) return
    this.#isSubscribed = true
    this.channel.subscribe((accountId) => this.#hear(accountId))
  }

  #hear(accountId: string | null): void {
    const heard = accountId === null ? [...this.#listeners.values()] : [this.#listeners.get(accountId) ?? []]
    for (const listener of heard.flatMap((listeners) => [...listeners])) listener()
  }
}
