import type { AccountId, AccountSource, Profile } from '../contract.js'
import { accountIdText } from '../options.js'

function hasTextId(account: Profile<AccountId>): account is Profile {
  return typeof account.id !== 'number'
}

/** Field by field: the fields of a row that an ORM made may be getters, which no spread copies. */
function withTextId(account: Profile<AccountId> | null): Profile | null {
  // An application in plain JavaScript may find undefined.
  if (!account || hasTextId(account)) return account
  const { id, username, role, epoch, avatar, displayName, spared } = account
  return { id: accountIdText(id), username, role, epoch, avatar, displayName, spared }
}

type Finding = Pick<AccountSource<AccountId>, 'find'>

/** The `find` of an application, with ids as text. It may be a method. */
export function findWithTextIds(source: Finding): Pick<AccountSource, 'find'> {
  return { find: async (id) => withTextId(await source.find(id)) }
}

/** The accounts of an application, with ids as text. */
export function withTextIds(source: AccountSource<AccountId>): AccountSource {
  return {
    ...findWithTextIds(source),
    verify: async (username, password) => withTextId(await source.verify(username, password)),
    ...(source.isBusy ? { isBusy: () => source.isBusy?.() ?? false } : {}),
  }
}
