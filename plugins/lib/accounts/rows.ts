import type { CheckedAccount } from '../contract.js'
import type { AccountRow } from '../database/tables.js'
import { StoreUnavailable } from '../errors.js'
import type { AccountDetails, OwnProfile } from './contract.js'

/** The columns that are read to show an account: all except the hash. */
export const SHOWN = [
  'id',
  'username',
  'canonical',
  'role',
  'epoch',
  'avatar',
  'display_name',
  'disabled',
  'created_at',
  'updated_at',
] as const
export type ShownRow = Pick<AccountRow, (typeof SHOWN)[number]>

/** The columns that a credential contains. */
export const IDENTIFYING = ['id', 'username', 'role', 'epoch'] as const

/** No address waits for its code. */
export const NO_PENDING_EMAIL = {
  email_pending: null,
  email_change: null,
  email_code: null,
  email_code_until: 0,
  email_code_tries: 0,
} as const
export const WITHOUT_EMAIL = { email: null, email_key: null, ...NO_PENDING_EMAIL } as const

/** Only the fields that a credential contains. */
export function toAccount({ id, username, role, epoch }: CheckedAccount): CheckedAccount {
  return Object.freeze({ id, username, role, epoch })
}

/** The account without the fields that only an administrator sees. */
export function toProfile(row: ShownRow): OwnProfile {
  const { avatar, display_name: displayName } = row
  return Object.freeze({
    ...toAccount(row),
    ...(avatar === null ? {} : { avatar }),
    ...(displayName === null ? {} : { displayName }),
  })
}

export function toDetails(row: ShownRow): AccountDetails {
  return Object.freeze({
    ...toProfile(row),
    disabled: row.disabled !== 0,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  })
}

/** Hides the database's error from the client. It goes to the log as `cause`. */
export async function guarded<T>(query: () => Promise<T>): Promise<T> {
  try {
    return await query()
  } catch (cause) {
    throw new StoreUnavailable({ cause })
  }
}

/** The first row, or null. @throws STORE_UNAVAILABLE */
export async function first<T>(query: { executeTakeFirst(): Promise<T | undefined> }): Promise<T | null> {
  return (await guarded(() => query.executeTakeFirst())) ?? null
}
