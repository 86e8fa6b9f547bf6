import { loadAccounts } from './account-actions.js'
import * as answers from './answers.js'
import { call, rotate } from './api.js'
import { ask, doing, refuse } from './asking.js'
import { anything } from './decode.js'
import { focusOn } from './dom.js'
import { t } from './language.js'
import { clear, complain, tell } from './say.js'
import { forgetPerson, state, update } from './store.js'
import { tellTabs } from './tabs.js'
import { forgetTokens, hold, tokens } from './tokens.js'

async function loadKeys(): Promise<void> {
  const found = await ask('keys', call('GET', '/api_keys', answers.apiKeys))
  if (found && state().me) update({ keys: found.data })
}

/** Loads the sign-ins, and the keys among them. */
export async function loadDevices(): Promise<void> {
  const found = await ask('devices', call('GET', '/sign_ins', answers.signIns))
  if (!found || !state().me) return
  update({ devices: found.data })
  await loadKeys()
}

async function loadInspection(): Promise<void> {
  if (!state().settings?.inspector) return
  const found = await ask('inspector', call('GET', '/inspector', answers.inspection))
  if (found && state().me) update({ inspection: found.data })
}

/** Loads all data of the signed-in user. */
export async function loadPanels(): Promise<void> {
  await loadDevices()
  await Promise.all([loadInspection(), loadAccounts()])
}

/** Loads the caller and all their data. @returns whether somebody is signed in */
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

/** Loads the settings and the caller. */
export async function start(): Promise<void> {
  clear('page')
  const found = await ask('page', call('GET', '/settings', answers.settings))
  if (!found) return
  const recognised = (found.data.cookie_sent || tokens() !== null) && (await recognise())
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
    tellTabs()
    focusOn('title')
    await loadPanels()
  })
}

async function afterSignOut(words: string): Promise<void> {
  forgetTokens()
  forgetPerson()
  tellTabs()
  // This browser may have a second sign-in in another mode. It is now the current one.
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

/** Ends sign-ins by a DELETE on this path. `own`: the caller's is among them. */
export function endSignIns(path: string, own: boolean, place: 'devices' | 'keys' = 'devices'): Promise<void> {
  return doing(place, async () => {
    const done = await ask(place, call('DELETE', path, answers.ended))
    if (!done) return
    const words = t().devices.ended(done.data.ended)
    if (own) return afterSignOut(words)
    await loadDevices()
    tell(place, words)
    focusOn(`${place}-title`)
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
    // The next step is to type the password.
    if (registered) tell('sign-in', t().register.done(username))
  }).then(() => registered)
}

let rotating = false

/** Gets a new pair of tokens, before the expiry or on request. */
export async function refreshTokens(): Promise<void> {
  if (rotating) return
  rotating = true
  const outcome = await rotate()
  rotating = false
  if (!outcome.ok) return refuse('inspector', outcome.failure)
  tell('inspector', t().inspector.rotated)
  await loadInspection()
}
