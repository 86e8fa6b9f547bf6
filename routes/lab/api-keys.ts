import type { ApiKeySource, StoredApiKey } from 'fastify-identity'
import { ADMIN, accountOf, USER } from './people.js'

/** Keeps the API keys of a run. `tell` hears of each lookup. */
export function labApiKeys(tell: () => void): ApiKeySource {
  const keys = new Map<string, StoredApiKey>()
  const change = (ids: readonly string[], to: (key: StoredApiKey) => Partial<StoredApiKey>) => {
    for (const id of ids) {
      const key = keys.get(id)
      if (key) keys.set(id, { ...key, ...to(key) })
    }
  }
  return {
    async insert(key) {
      keys.set(key.id, key)
      return true
    },
    async find(id) {
      tell()
      const key = keys.get(id)
      const owner = [ADMIN, USER].find((person) => person.id === key?.accountId)
      return key ? { key, account: owner ? accountOf(owner) : null } : null
    },
    async list(accountId, now) {
      const own = [...keys.values()].filter((key) => key.accountId === accountId)
      return own.filter(({ endedAt, expiresAt }) => endedAt === null && expiresAt > now).reverse()
    },
    async end(ids, now) {
      change(ids, ({ endedAt }) => ({ endedAt: endedAt ?? now }))
    },
    async noteUse(ids, at) {
      change(ids, () => ({ lastUsedAt: at }))
    },
  }
}
