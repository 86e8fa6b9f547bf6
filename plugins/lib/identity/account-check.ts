import type { Account, AccountId, CheckedAccount } from '../contract.js'
import { OptionInvalid } from '../errors.js'
import { accountIdText, checkWhole } from '../options.js'

/** So that a credential stays well below what browsers and proxies carry. In UTF-16 units. */
const FIELD_MAX = 256

/** SQLite and UTF-8 turn every lone surrogate into U+FFFD: two accounts would become one. */
const LONE_SURROGATE = /\p{Surrogate}/u

function isField(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= FIELD_MAX && !LONE_SURROGATE.test(value)
}

/**
 * A frozen copy of the account's own fields and nothing else: an application's row may hold a password
 * hash, which must not travel on into a credential.
 * @throws OPTION_INVALID
 */
export function checkAccount(account: Account<AccountId>): CheckedAccount {
  // An application that hands on what `verify` said of a wrong password hands on null.
  const { id: given = '', username, role, epoch = 0 }: Partial<Account<AccountId>> = account ?? {}
  const id = accountIdText(given)
  if (!isField(id) || !isField(username) || !isField(role)) {
    throw new OptionInvalid(
      'account',
      `wants id (or a safe integer), username and role as well-formed strings of 1 to ${FIELD_MAX} characters`,
    )
  }
  checkWhole('account.epoch', epoch, 0)
  return Object.freeze({ id, username, role, epoch })
}
