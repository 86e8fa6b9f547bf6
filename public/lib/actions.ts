import * as answers from './answers.js'
import { call, type Failure, type Outcome, rotate } from './api.js'
import { anything } from './decode.js'
import { focusOn } from './dom.js'
import { t } from './language.js'
import { clear, complain, tell } from './say.js'
import { forgetPerson, type Place, state, update } from './store.js'
import { forgetTokens, hold, tokens } from './tokens.js'

/** What a guarded route refuses with when it recognises nobody. */
const NOBODY = [
  ...['NOT_SIGNED_IN', 'TOKEN_EXPIRED', 'TOKEN_INVALID', 'CREDENTIAL_EXPIRED', 'CREDENTIAL_INVALID'],
  ...['SIGNED_OUT', 'REFRESH_REFUSED'],
]

/** The person is not signed in any more, and the page says why. */
function lost(failure: Failure): void {
  forgetTokens()
  forgetPerson()
  complain('page', failure)
  focusOn('title')
}

/** Shows why a call came to nothing: there, or where nobody is recognised, instead of everything. */
function refuse(place: Place, failure: Failure): void {
  if (state().me && NOBODY.includes(failure.code)) lost(failure)
  else complain(place, failure)
}

/** One thing at a time: a second click on the way does nothing. */
async function doing(place: Place, action: () => Promise<void>): Promise<void> {
  if (state().busy) return
  clear(place)
  update({ busy: true })
  try {
    await action()
  } finally {
    update({ busy: false })
  }
}

/** Goes on with what was answered, or shows why not. */
async function ask<T>(place: Place, outcome: Promise<Outcome<T>>): Promise<{ readonly data: T } | null> {
  const result = await outcome
  if (result.ok) return result
  refuse(place, result.failure)
  return null
}

async function loadDevices(): Promise<void> {
  const found = await ask('devices', call('GET', '/sign_ins', answers.signIns))
  if (found && state().me) update({ devices: found.data })
}

async function loadInspection(): Promise<void> {
  if (!state().settings?.inspector) return
  const found = await ask('inspector', call('GET', '/inspector', answers.inspection))
  if (found && state().me) update({ inspection: found.data })
}

export async function loadAccounts(after: string | null = null): Promise<void> {
  if (state().me?.user.role !== 'admin') return
  const query = after === null ? '' : `&after=${encodeURIComponent(after)}`
  const outcome = await call('GET', `/accounts?limit=20${query}`, answers.accountPage)
  // Where the application brought accounts of its own there is nothing to look after here.
  if (!outcome.ok && outcome.failure.code === 'NOT_FOUND') return
  const found = await ask('accounts', Promise.resolve(outcome))
  if (!found || !state().me) return
  const before = after === null ? [] : (state().accounts?.accounts ?? [])
  update({ accounts: { accounts: [...before, ...found.data.accounts], next: found.data.next } })
}

async function loadPanels(): Promise<void> {
  await loadDevices()
  await Promise.all([loadInspection(), loadAccounts()])
}

/** Asks who is there, and shows them all that is theirs. @returns whether somebody is */
async function recognise(): Promise<boolean> {
  const outcome = await call('GET', '/user_info', answers.user)
  if (!outcome.ok) {
    if (tokens()) forgetTokens()
    complain('page', outcome.failure)
    return false
  }
  update({ me: { user: outcome.data, mode: outcome.mode ?? 'cookie' }, failures: {}, notices: {} })
  return true
}

export async function start(): Promise<void> {
  const found = await ask('page', call('GET', '/settings', answers.settings))
  if (!found) return
  const recognised = found.data.cookie_sent && (await recognise())
  update({ settings: found.data })
  if (recognised) await loadPanels()
}

export function signIn(username: string, password: string, remember: boolean): Promise<void> {
  return doing('sign-in', async () => {
    const { chosen } = state()
    const body = { username, password, ...(chosen === 'token' ? {} : { remember }) }
    const decode = chosen === 'token' ? answers.pair : anything
    const granted = await ask('sign-in', call<unknown>('POST', `/login_${chosen}`, decode, body))
    if (!granted) return
    if (chosen === 'token') hold(answers.pair(granted.data))
    if (!(await recognise())) return
    focusOn('title')
    await loadPanels()
  })
}

async function afterSignOut(words: string): Promise<void> {
  forgetTokens()
  forgetPerson()
  // Somebody may be signed in here in two ways at once: then the other one is who they are now.
  const settings = await call('GET', '/settings', answers.settings)
  if (settings.ok && settings.data.cookie_sent && (await recognise())) await loadPanels()
  else tell('page', words)
  focusOn('title')
}

export function signOut(): Promise<void> {
  return doing('me', async () => {
    const mode = state().me?.mode
    const refresh = tokens()?.refreshToken
    const body = mode === 'token' && refresh ? { refresh_token: refresh } : {}
    if (await ask('me', call('POST', `/logout_${mode}`, anything, body))) await afterSignOut(t().me.signedOut)
  })
}

/** Ends sign-ins by the path of a DELETE. `own`: the caller's is among them. */
export function endSignIns(path: string, own: boolean): Promise<void> {
  return doing('devices', async () => {
    const done = await ask('devices', call('DELETE', path, answers.ended))
    if (!done) return
    const words = t().devices.ended(done.data.ended)
    if (own) return afterSignOut(words)
    await loadDevices()
    tell('devices', words)
    focusOn('devices-title')
  })
}

export const reloadDevices = () => doing('devices', loadDevices)

export function changePassword(current_password: string, new_password: string): Promise<boolean> {
  let changed = false
  return doing('password', async () => {
    const body = { current_password, new_password }
    changed = (await ask('password', call('POST', '/password', anything, body))) !== null
    if (!changed) return
    await loadDevices()
    tell('password', t().password.done)
  }).then(() => changed)
}

export function register(username: string, password: string): Promise<boolean> {
  let registered = false
  return doing('register', async () => {
    const made = call('POST', '/register', anything, { username, password })
    registered = (await ask('register', made)) !== null
    if (registered) tell('register', t().register.done(username))
  }).then(() => registered)
}

/** What an administrator does to an account. */
export function changeAccount(
  username: string,
  change: { readonly role?: string; readonly disabled?: boolean } | 'end',
): Promise<void> {
  return doing('accounts', async () => {
    const path = `/accounts/${encodeURIComponent(username)}`
    const done =
      change === 'end'
        ? await ask('accounts', call('DELETE', `${path}/sign_ins`, answers.ended))
        : await ask('accounts', call('PATCH', path, anything, change))
    if (!done) return
    await loadAccounts()
    await loadDevices()
    if (state().me) tell('accounts', t().accounts.changed(username))
  })
}

let rotating = false

/** A new pair of tokens, because it is time or somebody asked. */
export async function refreshTokens(): Promise<void> {
  if (rotating) return
  rotating = true
  const outcome = await rotate()
  rotating = false
  if (!outcome.ok) return refuse('inspector', outcome.failure)
  tell('inspector', t().inspector.rotated)
  await loadInspection()
}
