import type { ApiKeySource, StoredApiKey } from '../../plugins/lib/api-key/contract.js'
import type { Account } from '../../plugins/lib/contract.js'

export interface MemoryApiKeys {
  readonly source: ApiKeySource
  /** Every function that was called, in order. */
  readonly calls: (keyof ApiKeySource)[]
}

/** An application's own keys, of whatever accounts `find` knows. */
export function memoryApiKeys(find: (id: string) => Account | null): MemoryApiKeys {
  const keys = new Map<string, StoredApiKey>()
  const calls: (keyof ApiKeySource)[] = []
  const live = (accountId: string, now: number) => {
    const account = find(accountId)
    const own = [...keys.values()].filter((key) => key.accountId === accountId)
    const isLive = (key: StoredApiKey) =>
      account !== null && key.epoch >= (account.epoch ?? 0) && key.endedAt === null && key.expiresAt > now
    return own.filter(isLive).sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1))
  }
  const change = (ids: readonly string[], to: (key: StoredApiKey) => Partial<StoredApiKey>) => {
    for (const id of ids) {
      const key = keys.get(id)
      if (key) keys.set(id, Object.freeze({ ...key, ...to(key) }))
    }
  }
  const source: ApiKeySource = {
    async insert(key, cap) {
      calls.push('insert')
      if (live(key.accountId, key.createdAt).length >= cap) return false
      keys.set(key.id, Object.freeze({ ...key }))
      return true
    },
    async find(id) {
      calls.push('find')
      const key = keys.get(id)
      return key ? { key, account: find(key.accountId) } : null
    },
    async list(accountId, now) {
      calls.push('list')
      return live(accountId, now)
    },
    async end(ids, now) {
      calls.push('end')
      change(ids, ({ endedAt }) => ({ endedAt: endedAt ?? now }))
    },
    async noteUse(ids, at) {
      calls.push('noteUse')
      change(ids, ({ lastUsedAt }) => ({ lastUsedAt: Math.max(lastUsedAt ?? 0, at) }))
    },
  }
  return { source, calls }
}
