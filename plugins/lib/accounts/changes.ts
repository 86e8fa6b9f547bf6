import type { ExpressionBuilder, Kysely } from 'kysely'
import type { CheckedAccount, Clock } from '../contract.js'
import type { AccountsDatabase } from '../database/accounts-database.js'
import type { AccountRow, Tables } from '../database/tables.js'
import { LastAdmin } from '../errors.js'
import { lockAdmins, otherAdmins } from './admins.js'
import type { AccountChange, AccountDetails, RaisedAccount } from './contract.js'
import type { Passwords } from './passwords.js'
import { first, guarded, SHOWN, type ShownRow, toAccount, toDetails } from './rows.js'
import { markStored } from './stored-change.js'

export interface Context extends Partial<Pick<AccountsDatabase, 'probe'>> {
  readonly db: Kysely<Tables>
  readonly passwords: Passwords
  readonly clock: Clock
  /** Runs after a change that ends the account's sign-ins, before the change resolves. */
  readonly onRaised?: (raised: RaisedAccount) => Promise<void>
  /** Runs after such a change failed. The change may still be stored, if only the database's answer was lost. */
  readonly onDoubt?: () => void
}

type Values = Partial<Pick<AccountRow, 'password_hash' | 'role' | 'disabled' | 'spared_sign_in'>>
type ChangedRow = ShownRow & Pick<AccountRow, 'spared_sign_in'>

/**
 * The time of a new epoch: now, or the time of the newest stored reset request if that is later. A process whose clock is
 * ahead may have stored the request. Without this, the request would seem newer than the change.
 */
function raisedAt(accounts: ExpressionBuilder<Tables, 'accounts'>, now: number) {
  const latest = accounts
    .selectFrom('outbox')
    .select((outbox) => outbox.fn.max('created_at').as('latest'))
    .where('kind', '=', 'reset')
    .where('created_at', '>', now)
  return accounts.fn.coalesce(latest, accounts.val(now))
}

/** Changes the row and raises its epoch in one statement, which ends all earlier sign-ins, also one spared before. */
export function change({ db, clock }: Pick<Context, 'db' | 'clock'>, id: string, values: Values) {
  const now = clock()
  return db
    .updateTable('accounts')
    .set({ spared_sign_in: null, ...values })
    .set((row) => ({ epoch: row('epoch', '+', 1), updated_at: now, epoch_raised_at: raisedAt(row, now) }))
    .where('id', '=', id)
    .returning([...SHOWN, 'spared_sign_in'])
}

/**
 * Runs a change, and reports its new epoch.
 * @returns the changed row, or null
 * @throws STORE_UNAVAILABLE; marked by `markStored` if the change is stored
 */
export async function apply(
  { onRaised, onDoubt }: Context,
  work: () => Promise<ChangedRow | undefined>,
): Promise<ChangedRow | null> {
  const row = await guarded(work).catch((error: unknown) => {
    onDoubt?.()
    throw error
  })
  if (!row) return null
  try {
    await onRaised?.({ account: toAccount(row), spare: row.spared_sign_in })
  } catch (error) {
    throw markStored(error)
  }
  return row
}

/** @see Accounts.raiseEpoch */
export async function raiseEpoch(context: Context, id: string): Promise<CheckedAccount | null> {
  const row = await apply(context, () => change(context, id, {}).executeTakeFirst())
  return row && toAccount(row)
}

/** @see Accounts.changePassword */
export async function changePassword(
  context: Context,
  id: string,
  current: string,
  replacement: string,
  spare: string | null,
): Promise<CheckedAccount | null> {
  const { db, passwords } = context
  const stored = await first(
    db.selectFrom('accounts').select('password_hash').where('id', '=', id).where('disabled', '=', 0),
  )
  if (!(await passwords.verify(stored?.password_hash ?? null, current)) || !stored) return null
  const password_hash = await passwords.hash(replacement)
  // If two changes were granted with the same old password, the second finds another hash.
  const query = change(context, id, { password_hash, spared_sign_in: spare })
    .where('password_hash', '=', stored.password_hash)
    .where('disabled', '=', 0)
  const row = await apply(context, () => query.executeTakeFirst())
  // A sign-in may have renewed the hash of the same password: check the present hash again.
  return row ? toAccount(row) : changePassword(context, id, current, replacement, spare)
}

/** @see Accounts.setPassword */
export async function setPassword(
  context: Context,
  id: string,
  replacement: string,
): Promise<CheckedAccount | null> {
  const password_hash = await context.passwords.hash(replacement)
  const row = await apply(context, () => change(context, id, { password_hash }).executeTakeFirst())
  return row && toAccount(row)
}

/** @see Accounts.update */
export async function update(
  context: Context,
  id: string,
  { role, disabled }: AccountChange,
): Promise<AccountDetails | null> {
  const values = {
    ...(role === undefined ? {} : { role }),
    ...(disabled === undefined ? {} : { disabled: disabled ? 1 : 0 }),
  }
  const keepsAdmin = (role === undefined || role === 'admin') && !disabled
  const row = keepsAdmin
    ? await apply(context, () => change(context, id, values).executeTakeFirst())
    : await changeUnlessLast(context, id, values)
  return row && toDetails(row)
}

/** Makes a change that removes an administrator, unless it is the last one. @throws LAST_ADMIN */
async function changeUnlessLast(context: Context, id: string, values: Values) {
  const { db, clock } = context
  const row = await apply(context, () =>
    lockAdmins(db, id, (db) =>
      change({ db, clock }, id, values)
        .where((row) =>
          row.or([row('role', '<>', 'admin'), row('disabled', '=', 1), row.exists(otherAdmins(db, id))]),
        )
        .executeTakeFirst(),
    ),
  )
  const exists = row ?? (await first(db.selectFrom('accounts').select('id').where('id', '=', id)))
  if (!row && exists) throw new LastAdmin()
  return row
}
