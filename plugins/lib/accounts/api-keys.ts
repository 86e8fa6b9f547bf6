import type { ExpressionBuilder, Kysely } from 'kysely'
import type { ApiKeySource, FoundApiKey, StoredApiKey } from '../api-key/contract.js'
import type { ApiKeyRow, Tables } from '../database/tables.js'
import { claimsOrNull } from '../stores/narrow.js'
import { first, guarded, toAccount } from './rows.js'

const COLUMNS = [
  'id',
  'account_id',
  'name',
  'scopes',
  'claims',
  'hash',
  'epoch',
  'created_at',
  'last_used_at',
  'expires_at',
  'ended_at',
  'ip',
  'user_agent',
] as const

/**
 * How many ended or expired keys each account keeps. With these, a client still learns that its key has ended or
 * expired.
 */
const KEPT_DEAD = 100

function toRow(key: StoredApiKey): ApiKeyRow {
  return {
    id: key.id,
    account_id: key.accountId,
    name: key.name,
    // No scope contains a space (RFC 6749 §3.3).
    scopes: key.scopes.join(' '),
    claims: JSON.stringify(key.claims),
    hash: key.hash,
    epoch: key.epoch,
    created_at: key.createdAt,
    last_used_at: key.lastUsedAt,
    expires_at: key.expiresAt,
    ended_at: key.endedAt,
    ip: key.ip,
    user_agent: key.userAgent,
  }
}

function toKey(row: ApiKeyRow): StoredApiKey {
  return Object.freeze({
    id: row.id,
    accountId: row.account_id,
    name: row.name,
    scopes: Object.freeze(row.scopes.split(' ').filter((scope) => scope !== '')),
    claims: claimsOrNull(JSON.parse(row.claims)) ?? {},
    hash: row.hash,
    epoch: row.epoch,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    expiresAt: row.expires_at,
    endedAt: row.ended_at,
    ip: row.ip,
    userAgent: row.user_agent,
  })
}

type Row = ExpressionBuilder<Tables, 'api_keys'>

/** A live key is neither ended nor expired. Its account is enabled, and has no higher epoch. */
function isLive(row: Row, now: number) {
  const epoch = row
    .selectFrom('accounts')
    .select('accounts.epoch')
    .whereRef('accounts.id', '=', 'api_keys.account_id')
    .where('accounts.disabled', '=', 0)
  return row.and([
    row('api_keys.ended_at', 'is', null),
    row('api_keys.expires_at', '>', now),
    row('api_keys.epoch', '>=', epoch),
  ])
}

/** In one statement, since no transaction of SQLite may span an `await`. */
async function insertBelowCap(db: Kysely<Tables>, key: StoredApiKey, cap: number): Promise<boolean> {
  const row = toRow(key)
  const live = db
    .selectFrom('api_keys')
    .select((keys) => keys.fn.countAll<number>().as('total'))
    .where('account_id', '=', key.accountId)
    .where((keys) => isLive(keys, key.createdAt))
  const values = db.selectNoFrom((from) => COLUMNS.map((name) => from.val(row[name]).as(name)))
  const query = db
    .insertInto('api_keys')
    .columns(COLUMNS)
    .expression(values.where(({ eb }) => eb(live, '<', cap)))
  return (await query.returning('id').executeTakeFirst()) !== undefined
}

/** Deletes old dead keys. Otherwise an account could fill the table by making and ending keys. */
async function dropOldest(db: Kysely<Tables>, { accountId, createdAt }: StoredApiKey): Promise<void> {
  const dead = db
    .selectFrom('api_keys')
    .select('id')
    .where('account_id', '=', accountId)
    .where((row) => row.not(isLive(row, createdAt)))
  const kept = dead.orderBy('created_at', 'desc').orderBy('id').limit(KEPT_DEAD)
  await db.deleteFrom('api_keys').where('id', 'in', dead).where('id', 'not in', kept).execute()
}

async function insert(db: Kysely<Tables>, key: StoredApiKey, cap: number): Promise<boolean> {
  await dropOldest(db, key)
  return insertBelowCap(db, key, cap)
}

/** If two processes insert at once on PostgreSQL, the second one counts after the first has committed. */
async function insertAlone(db: Kysely<Tables>, key: StoredApiKey, cap: number): Promise<boolean> {
  if (!db.getExecutor().adapter.supportsMultipleConnections) return insert(db, key, cap)
  return db.transaction().execute(async (transaction) => {
    const account = transaction.selectFrom('accounts').select('id').where('id', '=', key.accountId)
    await account.forUpdate().execute()
    return insert(transaction, key, cap)
  })
}

/**
 * Selects the columns of a key and of its account. The account's get a prefix, because both tables have an `id` and an
 * `epoch`.
 */
async function find(db: Kysely<Tables>, id: string): Promise<FoundApiKey | null> {
  // PostgreSQL rejects U+0000 with an error; no id contains it.
  if (id.includes('\0')) return null
  const query = db
    .selectFrom('api_keys')
    .leftJoin('accounts', 'accounts.id', 'api_keys.account_id')
    .select(COLUMNS.map((name) => `api_keys.${name}` as const))
    .select(['accounts.username', 'accounts.role', 'accounts.epoch as account_epoch', 'accounts.disabled'])
    .where('api_keys.id', '=', id)
  const row = await first(query)
  if (!row) return null
  const { username, role, account_epoch: epoch, disabled } = row
  const isThere = username !== null && role !== null && epoch !== null && disabled === 0
  const account = isThere ? toAccount({ id: row.account_id, username, role, epoch }) : null
  return Object.freeze({ key: toKey(row), account })
}

async function list(db: Kysely<Tables>, accountId: string, now: number): Promise<StoredApiKey[]> {
  const rows = await db
    .selectFrom('api_keys')
    .select(COLUMNS)
    .where('account_id', '=', accountId)
    .where((row) => isLive(row, now))
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .execute()
  return rows.map(toKey)
}

async function end(db: Kysely<Tables>, ids: readonly string[], now: number): Promise<void> {
  if (ids.length === 0) return
  const query = db.updateTable('api_keys').set({ ended_at: now }).where('ended_at', 'is', null)
  await query.where('id', 'in', ids).execute()
}

/** Skips locked rows. Otherwise two processes that write the same keys in different orders could deadlock. */
async function noteUse(db: Kysely<Tables>, ids: readonly string[], at: number): Promise<void> {
  const rows = db.selectFrom('api_keys').select('id').where('id', 'in', ids)
  const free = db.getExecutor().adapter.supportsMultipleConnections ? rows.forUpdate().skipLocked() : rows
  await db
    .updateTable('api_keys')
    .set({ last_used_at: at })
    .where('id', 'in', free)
    .where((row) => row.or([row('last_used_at', 'is', null), row('last_used_at', '<', at)]))
    .execute()
}

/** API keys in the table `api_keys`, beside the accounts. */
export function createApiKeySource(db: Kysely<Tables>): ApiKeySource {
  return Object.freeze({
    insert: (key: StoredApiKey, cap: number) => guarded(() => insertAlone(db, key, cap)),
    find: (id: string) => find(db, id),
    list: (accountId: string, now: number) => guarded(() => list(db, accountId, now)),
    end: (ids: readonly string[], now: number) => guarded(() => end(db, ids, now)),
    noteUse: (ids: readonly string[], at: number) => guarded(() => noteUse(db, ids, at)),
  })
}
