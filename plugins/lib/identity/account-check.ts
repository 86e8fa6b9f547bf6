import type { Account, AccountId, CheckedAccount } from '../contract.js'
import { OptionInvalid } from '../errors.js'
import { accountIdText, checkWhole } from '../options.js'

/** In UTF-16 units. Keeps credentials below the header limits of browsers and proxies. */
const FIELD_MAX = 256

/** SQLite and UTF-8 turn lone surrogates into U+FFFD: two accounts would become one. */
const LONE_SURROGATE = /\p{Surrogate}/u

function isField(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= FIELD_MAX && !LONE_SURROGATE.test(value)
}

/**
 * A frozen copy of these fields alone: an application's row may have a password hash, which must not enter a credential.
 * @throws OPTION_INVALID
 */
export function checkAccount(account: Account<AccountId>): CheckedAccount {
  // Null comes from an application that passes on the result of `verify` for a wrong password.
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
