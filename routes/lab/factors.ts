import type { FactorSource, StoredFactor } from 'fastify-identity/factors'

/** Second factors in memory, for one user center. Calls `tell` for each lookup and each use of a code. */
export function labFactors(tell: (question: 'list' | 'spend') => void): FactorSource {
  const rows = new Map<string, StoredFactor>()
  const all = () => [...rows.values()]
  /** @param change returns null to leave the row as it is */
  function change(id: string, change: (row: StoredFactor) => StoredFactor | null): boolean {
    const row = rows.get(id)
    const changed = row ? change(row) : null
    if (changed) rows.set(id, changed)
    return changed !== null
  }
  return {
    async list(accountId) {
      tell('list')
      return all().filter((row) => row.accountId === accountId)
    },
    find: async (id) => rows.get(id) ?? null,
    async add(factor, cap) {
      if (rows.has(factor.id) && factor.kind !== 'recovery_code') return 'taken'
      const counted = all().filter(
        (row) => row.accountId === factor.accountId && row.kind !== 'recovery_code',
      )
      if (counted.length >= cap && factor.kind !== 'recovery_code') return 'full'
      rows.set(factor.id, factor)
      return 'added'
    },
    async spend(accountId, id, from, { counter, at, secret, keyId }) {
      tell('spend')
      return change(id, (row) =>
        row.accountId === accountId && row.counter === from
          ? { ...row, counter, lastUsedAt: at, secret: secret ?? row.secret, keyId: keyId ?? row.keyId }
          : null,
      )
    },
    rename: async (accountId, id, name) =>
      change(id, (row) => (row.accountId === accountId ? { ...row, name } : null)),
    async remove(accountId, ids) {
      const gone = all().filter((row) => row.accountId === accountId && ids.includes(row.id))
      for (const { id } of gone) rows.delete(id)
      return gone.length
    },
    async sealedBy() {
      const counts = new Map<string, number>()
      for (const { keyId } of all()) if (keyId !== null) counts.set(keyId, (counts.get(keyId) ?? 0) + 1)
      return counts
    },
    listSealedBy: async (keyId, limit) =>
      all()
        .filter((row) => row.keyId === keyId)
        .slice(0, limit),
    reseal: async ({ id, secret: old }, secret, keyId) =>
      change(id, (row) => (row.secret === old ? { ...row, secret, keyId } : null)),
  }
}
