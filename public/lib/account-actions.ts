import { type Account, accountPage, account as accountShape, ended } from './answers.js'
import { call } from './api.js'
import { ask, doing } from './asking.js'
import { t } from './language.js'
import { tell } from './say.js'
import { state, update } from './store.js'

const LIMIT = '20'

/** A page of accounts; from its end on (`after`), in addition to those that are shown. */
async function loadPage(filter: string, after: string | null): Promise<boolean> {
  const query = new URLSearchParams({ limit: LIMIT })
  if (filter !== '') query.set('username', filter)
  if (after !== null) query.set('after', after)
  const outcome = await call('GET', `/accounts?${query}`, accountPage)
  // Where the application brought accounts of its own there is nothing to look after here.
  if (!outcome.ok && outcome.failure.code === 'NOT_FOUND') return false
  const found = await ask('accounts', Promise.resolve(outcome))
  if (!found || !state().me) return false
  const before = after === null ? [] : (state().accounts?.accounts ?? [])
  update({ filter, accounts: { accounts: [...before, ...found.data.accounts], next: found.data.next } })
  return true
}

/** For an administrator, the first of them. */
export async function loadAccounts(): Promise<void> {
  if (state().me?.user.role === 'admin') await loadPage('', null)
}

export const moreAccounts = (after: string) =>
  doing('accounts', async () => {
    await loadPage(state().filter, after)
  })

/** Those whose names begin like that. */
export function findAccounts(filter: string): Promise<void> {
  return doing('accounts', async () => {
    if (!(await loadPage(filter, null))) return
    const { accounts = [], next = null } = state().accounts ?? {}
    tell('accounts', t().accounts.found(accounts.length, next !== null, filter))
  })
}

/** In its place: whoever works down a list does not lose it. */
function showChanged(changed: Account): void {
  const { accounts } = state()
  if (!accounts) return
  const rows = accounts.accounts.map((row) => (row.username === changed.username ? changed : row))
  update({ accounts: { ...accounts, accounts: rows } })
}

const pathOf = (username: string) => `/accounts/${encodeURIComponent(username)}`

/** Another role, or disabled or not. */
export function changeAccount(
  username: string,
  change: { readonly role?: string; readonly disabled?: boolean },
): Promise<void> {
  return doing('accounts', async () => {
    const done = await ask('accounts', call('PATCH', pathOf(username), accountShape, change))
    if (!done) return
    showChanged(done.data)
    tell('accounts', t().accounts.changed(username))
  })
}

export function endSignInsOf(username: string): Promise<void> {
  return doing('accounts', async () => {
    const done = await ask('accounts', call('DELETE', `${pathOf(username)}/sign_ins`, ended))
    if (done) tell('accounts', t().accounts.ended(username, done.data.ended))
  })
}
