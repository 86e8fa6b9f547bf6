import { randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { AuditEvent, AuditType } from '../audit.js'
import type { AccountEventRow, Tables } from '../database/tables.js'
import { claimsOrNull } from '../stores/narrow.js'
import type { AccountEvent, EventsQuery } from './contract.js'
import { guarded } from './rows.js'

/**
 * How many events of one type each account keeps. Counted by type, so that a hundred sign-outs do not hide where
 * somebody signed in.
 */
export const KEPT_EVENTS = 50

/**
 * `refreshed` is left out: it comes every few minutes. So is `epoch_raised`: it may come twice, and says nothing that
 * the change before it does not say.
 */
const KEPT_TYPES: ReadonlySet<AuditType> = new Set<AuditType>([
  'signed_in',
  'throttled',
  'password_refused',
  'signed_out',
  'sign_in_ended',
  'refresh_reuse_detected',
  'account_created',
  'account_changed',
  'profile_changed',
])

let counted = 0

/** Events of one millisecond sort by it, if one process wrote them. */
function nextId(): string {
  counted += 1
  return counted.toString(36).padStart(9, '0') + randomBytes(9).toString('base64url')
}

/** The row of an event; null if the event is about no account, or is not kept. */
export function eventRow(event: AuditEvent): AccountEventRow | null {
  const { type, time, ip, ...rest } = event
  const { accountId, ...details }: { readonly accountId?: string | null } = { accountId: null, ...rest }
  if (!KEPT_TYPES.has(type) || typeof accountId !== 'string') return null
  return { id: nextId(), account_id: accountId, type, time, ip, details: JSON.stringify(details) }
}

const toEvent = ({ type, time, ip, details }: Omit<AccountEventRow, 'id' | 'account_id'>): AccountEvent =>
  Object.freeze({ type, time, ip, details: claimsOrNull(JSON.parse(details)) ?? {} })

/**
 * Deletes all but the newest events of each type. Skips locked rows: two processes that delete the same ones in
 * different orders could deadlock.
 */
async function dropOldest(db: Kysely<Tables>, accountIds: readonly string[]): Promise<void> {
  const ranked = db
    .selectFrom('account_events')
    .select((row) => [
      'id',
      row.fn
        .agg<number>('row_number')
        .over((over) =>
          over.partitionBy(['account_id', 'type']).orderBy('time', 'desc').orderBy('id', 'desc'),
        )
        .as('rank'),
    ])
    .where('account_id', 'in', accountIds)
  const old = db.selectFrom(ranked.as('ranked')).select('ranked.id').where('rank', '>', KEPT_EVENTS)
  const rows = db.selectFrom('account_events').select('id').where('id', 'in', old)
  const free = db.getExecutor().adapter.supportsMultipleConnections ? rows.forUpdate().skipLocked() : rows
  await db.deleteFrom('account_events').where('id', 'in', free).execute()
}

/** Stores events, and deletes the oldest ones of their accounts. @throws the error of the database */
export async function insertEvents(db: Kysely<Tables>, rows: readonly AccountEventRow[]): Promise<void> {
  if (rows.length === 0) return
  await db.insertInto('account_events').values(rows).execute()
  await dropOldest(db, [...new Set(rows.map((row) => row.account_id))])
}

/** Newest first. @throws STORE_UNAVAILABLE */
export async function listEvents(
  db: Kysely<Tables>,
  accountId: string,
  { type, limit = KEPT_EVENTS }: EventsQuery = {},
): Promise<AccountEvent[]> {
  // PostgreSQL rejects U+0000 with an error; no id contains it.
  if (accountId.includes('\0')) return []
  const all = db
    .selectFrom('account_events')
    .select(['type', 'time', 'ip', 'details'])
    .where('account_id', '=', accountId)
  const some = type === undefined ? all : all.where('type', '=', type)
  const newest = some.orderBy('time', 'desc').orderBy('id', 'desc').limit(Math.min(limit, KEPT_EVENTS))
  return (await guarded(() => newest.execute())).map(toEvent)
}
