import * as answers from './answers.js'
import { call, noAnswer, type Outcome, signed } from './api.js'
import { ask, doing } from './asking.js'
import { client, follow, forgetClient, useMode } from './client.js'
import { anything } from './decode.js'
import { language, t } from './language.js'
import { loadSignedIn, secondStep, signedIn } from './later.js'
import { focusOn } from './painting.js'
import { cleared, complain, tell } from './say.js'
import { forgetPerson, state, update } from './store.js'
import { tellTabs } from './tabs.js'
import { checkKept, tellForgotten } from './unkept.js'

/** Asks the server who the caller is. For a caller, also loads the part of the page for a signed-in user. */
export async function askWho(): Promise<Outcome<answers.User>> {
  const [who, isLoaded] = await Promise.all([call('GET', '/user_info', answers.user), loadSignedIn()])
  return who.ok && !isLoaded ? noAnswer('UNEXPECTED') : who
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
  if (recognised) await signedIn().loadPanels()
  else tellForgotten()
}

/** The language of the answer. */
export const inLanguage = () => ({ headers: { 'accept-language': language() } })

/** Shows the user who has just signed in. @param data of the answer */
export async function finishSignIn(data: unknown, mode: answers.Mode): Promise<void> {
  if (!(await recognise())) return
  tellTabs('signed_in', mode)
  focusOn('title')
  await signedIn().loadPanels()
  if (mode === 'token') await checkKept()
  signedIn().tellFewCodes(data)
}

export function signIn(username: string, password: string, remember: boolean): Promise<void> {
  return doing('sign-in', async () => {
    const { chosen } = state()
    const credentials = { username, password, ...(chosen === 'token' ? {} : { remember }) }
    useMode(chosen)
    const outcome = await signed(client().signIn(credentials, inLanguage()))
    const isAsked = !outcome.ok && outcome.failure.code === 'SECOND_FACTOR_REQUIRED'
    const step = isAsked ? await secondStep.load() : null
    if (isAsked && step) return step.beginSecondStep(username, outcome.failure.data)
    const granted = await ask('sign-in', Promise.resolve(outcome))
    if (granted) await finishSignIn(granted.data, chosen)
  })
}

/** Shows the sign-in form and these words, or the other person that the browser knows. */
export async function afterSignOut(words: string): Promise<void> {
  forgetClient()
  forgetPerson()
  // This browser may have a second sign-in in another mode. It is now the current one.
  const settings = await call('GET', '/settings', answers.settings)
  if (settings.ok && (await recogniseBy(settings.data))) await signedIn().loadPanels()
  else tell('page', words)
  focusOn('title')
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
