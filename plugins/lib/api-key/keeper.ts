import type { RecordKeeper } from '../sign-ins/contract.js'
import type { SignInRecord } from '../stores/contract.js'
import type { ApiKeySource, StoredApiKey } from './contract.js'
import { isKeyId } from './format.js'
import type { LastUse } from './last-use.js'

/** The record of a key as a sign-in. A key belongs to no generation of the revocation list, because it outlives the list. */
export function recordOfKey(key: StoredApiKey): SignInRecord {
  const { id, accountId, epoch, createdAt, lastUsedAt, expiresAt, ip, userAgent } = key
  return Object.freeze({
    id,
    accountId,
    mode: 'api_key',
    epoch,
    generation: 0,
    createdAt,
    lastSeenAt: lastUsedAt ?? createdAt,
    idleExpiresAt: expiresAt,
    absoluteExpiresAt: expiresAt,
    ip,
    userAgent,
    sessionKey: null,
    refresh: null,
    claims: null,
  })
}

/** @param longestTtl in seconds */
export function createKeyKeeper(source: ApiKeySource, lastUse: LastUse, longestTtl: number): RecordKeeper {
  const list = async (accountId: string, now: number) => (await source.list(accountId, now)).map(recordOfKey)
  return {
    mode: 'api_key',
    longestTtl,
    owns: isKeyId,
    find: async (accountId, id, now) =>
      (await list(accountId, now)).find((record) => record.id === id) ?? null,
    list,
    end: (ids, now) => source.end(ids, now),
    noteSeen: (caller, verified, now) => lastUse.seen.noteSeen({ accountId: '', ...caller }, verified, now),
  }
}
