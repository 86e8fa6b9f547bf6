import type { CheckedAccount } from '../contract.js'
import type { AccountRow } from '../database/embedded.js'
import type { AccountDetails, OwnProfile } from './contract.js'

/** What is read of an account to show it: all but the hash. */
export const SHOWN = [
  'id',
  'username',
  'canonical',
  'role',
  'epoch',
  'avatar',
  'disabled',
  'created_at',
  'updated_at',
] as const
export type ShownRow = Pick<AccountRow, (typeof SHOWN)[number]>

/** What a credential says of its owner. */
export const IDENTIFYING = ['id', 'username', 'role', 'epoch'] as const

/** Nothing but what a credential says of its owner. */
export function toAccount({ id, username, role, epoch }: CheckedAccount): CheckedAccount {
  return Object.freeze({ id, username, role, epoch })
}

/** The account without what only an administrator sees. */
export function toProfile(row: ShownRow): OwnProfile {
  return Object.freeze({ ...toAccount(row), ...(row.avatar === null ? {} : { avatar: row.avatar }) })
}

export function toDetails(row: ShownRow): AccountDetails {
  return Object.freeze({
    ...toProfile(row),
    disabled: row.disabled !== 0,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  })
}
