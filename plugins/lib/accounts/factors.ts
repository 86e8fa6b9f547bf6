import type { Kysely } from 'kysely'
import type { FactorRow, Tables } from '../database/tables.js'
import type { FactorKind, FactorSource, FactorUse, StoredFactor } from '../factors/contract.js'
import { guarded } from './rows.js'

const COLUMNS = [
  'id',
  'account_id',
  'kind',
  'name',
  'secret',
  'key_id',
  'counter',
  'created_at',
  'last_used_at',
] as const

function toRow(factor: StoredFactor): FactorRow {
  return {
    id: factor.id,
    account_id: factor.accountId,
    kind: factor.kind,
    name: factor.name,
    secret: factor.secret,
    key_id: factor.keyId,
    counter: factor.counter,
    created_at: factor.createdAt,
    last_used_at: factor.lastUsedAt,
  }
}

const KINDS: readonly FactorKind[] = ['totp', 'passkey', 'recovery_code']

/** A later version may have stored another kind of row. This version ignores it. */
function toFactors(rows: readonly FactorRow[]): StoredFactor[] {
  return rows.flatMap((row) => {
    const kind = KINDS.find((known) => known === row.kind)
    return kind ? [toFactor(row, kind)] : []
  })
}

function toFactor(row: FactorRow, kind: FactorKind): StoredFactor {
  return Object.freeze({
    id: row.id,
    accountId: row.account_id,
    kind,
    name: row.name,
    secret: row.secret,
    keyId: row.key_id,
    counter: row.counter,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
  })
}

/** PostgreSQL rejects U+0000 with an error; no id contains it. */
const isId = (id: string) => !id.includes('\0')

async function select(
  db: Kysely<Tables>,
  column: 'id' | 'account_id',
  value: string,
): Promise<StoredFactor[]> {
  if (!isId(value)) return []
  const query = db.selectFrom('factors').select(COLUMNS).where(column, '=', value)
  return toFactors(await query.orderBy('created_at').orderBy('id').execute())
}

type Outcome = 'added' | 'taken' | 'full'

/** Counts and inserts in one statement, because a transaction of SQLite must not span an `await`. */
async function insertBelowCap(db: Kysely<Tables>, factor: StoredFactor, cap: number): Promise<Outcome> {
  const row = toRow(factor)
  const present = db
    .selectFrom('factors')
    .select((factors) => factors.fn.countAll<number>().as('total'))
    .where('account_id', '=', factor.accountId)
    .where('kind', '!=', 'recovery_code')
  const values = db.selectNoFrom((from) => COLUMNS.map((name) => from.val(row[name]).as(name)))
  const query = db
    .insertInto('factors')
    .columns(COLUMNS)
    .expression(values.where(({ eb }) => eb(present, '<', cap)))
    .onConflict((conflict) => conflict.column('id').doNothing())
  if ((await query.returning('id').executeTakeFirst()) !== undefined) return 'added'
  return (await select(db, 'id', factor.id)).length > 0 ? 'taken' : 'full'
}

/** On PostgreSQL, the lock makes a second process count only after the first one has committed. */
async function insertAlone(db: Kysely<Tables>, factor: StoredFactor, cap: number): Promise<Outcome> {
  if (!db.getExecutor().adapter.supportsMultipleConnections) return insertBelowCap(db, factor, cap)
  return db.transaction().execute(async (transaction) => {
    const account = transaction.selectFrom('accounts').select('id').where('id', '=', factor.accountId)
    await account.forUpdate().execute()
    return insertBelowCap(transaction, factor, cap)
  })
}

/** One statement stores the new codes and voids the old ones. */
async function replaceCodes(db: Kysely<Tables>, factor: StoredFactor): Promise<Outcome> {
  const { id, account_id, ...rest } = toRow(factor)
  const query = db.insertInto('factors').values({ id, account_id, ...rest })
  await query
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet(rest).where('factors.account_id', '=', account_id),
    )
    .execute()
  return 'added'
}

async function spend(
  db: Kysely<Tables>,
  accountId: string,
  id: string,
  from: number,
  { counter, at, secret, keyId }: FactorUse,
): Promise<boolean> {
  if (!isId(accountId) || !isId(id)) return false
  const sealed = secret === undefined ? {} : { secret, key_id: keyId ?? null }
  const query = db.updateTable('factors').set({ counter, last_used_at: at, ...sealed })
  const { numUpdatedRows } = await query
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where('counter', '=', from)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

async function rename(db: Kysely<Tables>, accountId: string, id: string, name: string): Promise<boolean> {
  if (!isId(accountId) || !isId(id)) return false
  const query = db.updateTable('factors').set({ name })
  const { numUpdatedRows } = await query
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

async function remove(db: Kysely<Tables>, accountId: string, ids: readonly string[]): Promise<number> {
  const known = isId(accountId) ? ids.filter(isId) : []
  if (known.length === 0) return 0
  const query = db.deleteFrom('factors').where('account_id', '=', accountId)
  const { numDeletedRows } = await query.where('id', 'in', known).executeTakeFirst()
  return Number(numDeletedRows)
}

async function sealedBy(db: Kysely<Tables>): Promise<ReadonlyMap<string, number>> {
  const rows = await db
    .selectFrom('factors')
    .select((factors) => ['key_id', factors.fn.countAll().as('total')])
    .where('key_id', 'is not', null)
    .groupBy('key_id')
    .execute()
  return new Map(rows.map(({ key_id, total }) => [key_id ?? '', Number(total)]))
}

async function listSealedBy(db: Kysely<Tables>, keyId: string, limit: number): Promise<StoredFactor[]> {
  const query = db.selectFrom('factors').select(COLUMNS).where('key_id', '=', keyId)
  return toFactors(await query.orderBy('id').limit(limit).execute())
}

async function reseal(db: Kysely<Tables>, factor: StoredFactor, secret: string, keyId: string) {
  const { numUpdatedRows } = await db
    .updateTable('factors')
    .set({ secret, key_id: keyId })
    .where('id', '=', factor.id)
    .where('secret', '=', factor.secret)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** Second factors in the table `factors`, beside the accounts. */
export function createFactorSource(db: Kysely<Tables>): FactorSource {
  return Object.freeze({
    list: (accountId: string) => guarded(() => select(db, 'account_id', accountId)),
    find: async (id: string) => (await guarded(() => select(db, 'id', id)))[0] ?? null,
    add: (factor: StoredFactor, cap: number) =>
      guarded(() =>
        factor.kind === 'recovery_code' ? replaceCodes(db, factor) : insertAlone(db, factor, cap),
      ),
    spend: (accountId: string, id: string, from: number, use: FactorUse) =>
      guarded(() => spend(db, accountId, id, from, use)),
    rename: (accountId: string, id: string, name: string) => guarded(() => rename(db, accountId, id, name)),
    remove: (accountId: string, ids: readonly string[]) => guarded(() => remove(db, accountId, ids)),
    sealedBy: () => guarded(() => sealedBy(db)),
    listSealedBy: (keyId: string, limit: number) => guarded(() => listSealedBy(db, keyId, limit)),
    reseal: (factor: StoredFactor, secret: string, keyId: string) =>
      guarded(() => reseal(db, factor, secret, keyId)),
  })
}
