import { factorTexts } from '../factors/text.js'
import { type Account, accountPage, account as accountShape, accountShown, ended } from './answers.js'
import { call } from './api.js'
import { ask, doing } from './asking.js'
import { anything } from './decode.js'
import { tSignedIn } from './language.js'
import { focusOn } from './painting.js'
import { tell } from './say.js'
import { isStill, state, update } from './store.js'

const LIMIT = '20'

/** Loads a page of accounts. With `after`, adds it to the list. */
async function loadPage(filter: string, after: string | null): Promise<boolean> {
  const { me } = state()
  const query = new URLSearchParams({ limit: LIMIT })
  if (filter !== '') query.set('username', filter)
  if (after !== null) query.set('after', after)
  const outcome = await call('GET', `/accounts?${query}`, accountPage)
  // An application with its own accounts has no such route.
  if (!outcome.ok && outcome.failure.code === 'NOT_FOUND') return false
  const found = await ask('accounts', Promise.resolve(outcome))
  if (!found || !isStill(me)) return false
  const before = after === null ? [] : (state().accounts?.accounts ?? [])
  update({ filter, accounts: { accounts: [...before, ...found.data.accounts], next: found.data.next } })
  return true
}

/** Loads the first page, for an administrator. */
export async function loadAccounts(): Promise<void> {
  if (state().me?.user.role === 'admin') await loadPage('', null)
}

export const moreAccounts = (after: string) =>
  doing('accounts', async () => {
    await loadPage(state().filter, after)
  })

/** Finds accounts by the beginning of their names. */
export function findAccounts(filter: string): Promise<void> {
  return doing('accounts', async () => {
    if (!(await loadPage(filter, null))) return
    const { accounts = [], next = null } = state().accounts ?? {}
    tell('accounts', tSignedIn().accounts.found(accounts.length, next !== null, filter))
  })
}

/** Replaces an account in its place, so that the list keeps its order. */
function showChanged(changed: Account): void {
  const { accounts } = state()
  if (!accounts) return
  const rows = accounts.accounts.map((row) => (row.username === changed.username ? changed : row))
  update({ accounts: { ...accounts, accounts: rows } })
}

const pathOf = (username: string) => `/accounts/${encodeURIComponent(username)}`

/** Loads one account with its sign-ins, keys and events. @returns whether it is shown */
async function loadAccount(username: string): Promise<boolean> {
  const { me } = state()
  const found = await ask('accounts', call('GET', pathOf(username), accountShown))
  if (!found || !isStill(me)) return false
  update({ account: found.data })
  return true
}

/** Shows one account in the place of the list. */
export function showAccount(username: string): Promise<void> {
  return doing('accounts', async () => {
    if (await loadAccount(username)) focusOn('account-title')
  })
}

export function closeAccount(): void {
  const username = state().account?.username ?? ''
  update({ account: null, notices: {} })
  focusOn(`show-${username}`)
}

/** Loads the shown account again after a change of it. */
async function reloadShown(username: string): Promise<void> {
  if (state().account?.username === username) await loadAccount(username)
}

/** Changes the role, or disables or enables the account. */
export function changeAccount(
  username: string,
  change: { readonly role?: string; readonly disabled?: boolean },
): Promise<void> {
  return doing('accounts', async () => {
    const done = await ask('accounts', call('PATCH', pathOf(username), accountShape, change))
    if (!done) return
    showChanged(done.data)
    await reloadShown(username)
    tell('accounts', tSignedIn().accounts.changed(username))
  })
}

export function endSignInsOf(username: string): Promise<void> {
  return doing('accounts', async () => {
    const done = await ask('accounts', call('DELETE', `${pathOf(username)}/sign_ins`, ended))
    if (!done) return
    await reloadShown(username)
    tell('accounts', tSignedIn().accounts.ended(username, done.data.ended))
  })
}

/** Removes all second factors of an account, and ends its sign-ins. */
export function resetFactorsOf(username: string): Promise<void> {
  return doing('accounts', async () => {
    if (!(await ask('accounts', call('DELETE', `${pathOf(username)}/factors`, anything)))) return
    await reloadShown(username)
    tell('accounts', factorTexts().reset.done(username))
  })
}
