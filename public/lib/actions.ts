import { loadAccounts } from './account-actions.js'
import * as answers from './answers.js'
import { answerOf, call, noAnswer, type Outcome, outcomeOf, signed } from './api.js'
import { ask, doing, refuse } from './asking.js'
import { client, follow, forgetClient, useMode } from './client.js'
import { anything } from './decode.js'
import { language, t, tSignedIn } from './language.js'
import { focusOn } from './painting.js'
import { cleared, complain, tell } from './say.js'
import { forgetPerson, state, update } from './store.js'
import { tellTabs } from './tabs.js'
import { loadSignedInTexts } from './texts.js'
import { checkKept, tellForgotten } from './unkept.js'

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

/** The caller whom the server recognises. With one, the page has the texts for a signed-in user. */
export async function askWho(): Promise<Outcome<answers.User>> {
  const [who, hasTexts] = await Promise.all([call('GET', '/user_info', answers.user), loadSignedInTexts()])
  return who.ok && !hasTexts ? noAnswer('UNEXPECTED') : who
}

/** Loads the caller and all their data. @returns whether somebody is signed in */
async function recognise(): Promise<boolean> {
  const outcome = await askWho()
  if (!outcome.ok) {
    complain('page', outcome.failure)
    return false
  }
  const mode = outcome.mode ?? 'cookie'
  useMode(mode)
  update({ me: { user: outcome.data, mode }, failures: {}, notices: {} })
  void follow()
  return true
}

/** Recognises the caller by the cookies that the browser has sent. The refresh cookie brings a token. */
async function recogniseBy({ cookie_sent, refresh_sent }: answers.Settings): Promise<boolean> {
  if (refresh_sent) useMode('token')
  return cookie_sent && (await recognise())
}

/** Loads the settings and the caller. */
export async function start(): Promise<void> {
  update(cleared('page'))
  const found = await ask('page', call('GET', '/settings', answers.settings))
  if (!found) return
  const recognised = await recogniseBy(found.data)
  update({ settings: found.data })
  if (recognised) await loadPanels()
  else tellForgotten()
}

/** The language of the answer. */
const inLanguage = () => ({ headers: { 'accept-language': language() } })

export function signIn(username: string, password: string, remember: boolean): Promise<void> {
  return doing('sign-in', async () => {
    const { chosen } = state()
    const credentials = { username, password, ...(chosen === 'token' ? {} : { remember }) }
    useMode(chosen)
    if (!(await ask('sign-in', signed(client().signIn(credentials, inLanguage()))))) return
    if (!(await recognise())) return
    tellTabs('signed_in', chosen)
    focusOn('title')
    await loadPanels()
    if (chosen === 'token') await checkKept()
  })
}

/** Shows the sign-in form and these words, or the other person that the browser knows. */
export async function afterSignOut(words: string): Promise<void> {
  forgetClient()
  forgetPerson()
  // This browser may have a second sign-in in another mode. It is now the current one.
  const settings = await call('GET', '/settings', answers.settings)
  if (settings.ok && (await recogniseBy(settings.data))) await loadPanels()
  else tell('page', words)
  focusOn('title')
}

export function signOut(): Promise<void> {
  return doing('me', async () => {
    const { me } = state()
    if (!(await ask('me', signed(client().signOut(inLanguage()))))) return
    if (me) tellTabs('signed_out', me.mode)
    await afterSignOut(tSignedIn().me.signedOut)
  })
}

/** Ends sign-ins by a DELETE on this path. `own`: the caller's is among them. */
export function endSignIns(path: string, own: boolean, place: 'devices' | 'keys' = 'devices'): Promise<void> {
  return doing(place, async () => {
    const { me } = state()
    const done = await ask(place, call('DELETE', path, answers.ended))
    if (!done) return
    const words = tSignedIn().devices.ended(done.data.ended)
    if (own && me) {
      tellTabs('signed_out', me.mode)
      return afterSignOut(words)
    }
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
    tell('password', tSignedIn().password.done)
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

/** Gets a new pair of tokens. */
export function refreshTokens(): Promise<void> {
  return doing('inspector', async () => {
    const failed = await answerOf(client().refresh())
    const outcome = failed instanceof Response ? await outcomeOf(failed, anything) : failed
    if (outcome?.ok === false) return refuse('inspector', outcome.failure)
    tell('inspector', tSignedIn().inspector.rotated)
    await loadInspection()
  })
}
