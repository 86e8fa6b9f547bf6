import type { FactorSource, StoredFactor } from '../../plugins/lib/factors/contract.js'

/** Factors in memory, as an application might keep them: each operation runs without an `await`. */
export function memoryFactors() {
  const rows = new Map<string, StoredFactor>()
  const of = (accountId: string) =>
    [...rows.values()]
      .filter((row) => row.accountId === accountId)
      .sort((one, other) => one.createdAt - other.createdAt)
  const own = (accountId: string, id: string) => of(accountId).find((row) => row.id === id)
  const write = (row: StoredFactor, change: Partial<StoredFactor> = {}) =>
    void rows.set(row.id, Object.freeze({ ...row, ...change }))
  const source: FactorSource = {
    list: async (accountId) => of(accountId),
    find: async (id) => rows.get(id) ?? null,
    async add(factor, cap) {
      const old = rows.get(factor.id)
      const isCodes = factor.kind === 'recovery_code'
      if (old && !(isCodes && old.accountId === factor.accountId)) return 'taken'
      const count = of(factor.accountId).filter(({ kind }) => kind !== 'recovery_code').length
      if (!isCodes && count >= cap) return 'full'
      write(factor)
      return 'added'
    },
    async spend(accountId, id, from, { at, ...use }) {
      const row = own(accountId, id)
      if (row?.counter !== from) return false
      write(row, { ...use, lastUsedAt: at })
      return true
    },
    async rename(accountId, id, name) {
      const row = own(accountId, id)
      if (row) write(row, { name })
      return row !== undefined
    },
    remove: async (accountId, ids) =>
      ids.filter((id) => own(accountId, id) !== undefined && rows.delete(id)).length,
    async sealedBy() {
      const counts = new Map<string, number>()
      for (const { keyId } of rows.values())
        if (keyId !== null) counts.set(keyId, (counts.get(keyId) ?? 0) + 1)
      return counts
    },
    listSealedBy: async (keyId, limit) =>
      [...rows.values()].filter((row) => row.keyId === keyId).slice(0, limit),
    async reseal({ id, secret: old }, secret, keyId) {
      const row = rows.get(id)
      if (row?.secret !== old) return false
      write(row, { secret, keyId })
      return true
    },
  }
  return { source, rows }
}
