import { afterSignOut, askWho, start } from './actions.js'
import * as answers from './answers.js'
import { call } from './api.js'
import { idle, lost, meansNobody } from './asking.js'
import { follow, forgetClient, onSignIn, useMode } from './client.js'
import { t, tSignedIn } from './language.js'
import { signedIn } from './later.js'
import { tell } from './say.js'
import { forgetPerson, state, update } from './store.js'
import { type Deed, onOtherTab } from './tabs.js'
import { endUnkept } from './unkept.js'

/*
 * A sign-in can end, and a cookie can change its owner, without any action on this page. The server and the other tabs
 * tell it. The page does not ask from time to time: that would keep an unused sign-in alive for ever.
 */

/**
 * Loads the list again after a change elsewhere. Says nothing if that fails: the client finds out whether the sign-in is
 * over.
 */
async function refreshDevices(): Promise<void> {
  for (;;) {
    await idle()
    const { me } = state()
    if (!me) return
    const [devices, keys] = await Promise.all([
      call('GET', '/sign_ins', answers.signIns),
      call('GET', '/api_keys', answers.apiKeys),
    ])
    // An action may have loaded newer data meanwhile.
    if (state().busy || state().me !== me) continue
    if (devices.ok && keys.ok) update({ devices: devices.data, keys: keys.data })
    return
  }
}

/** The caller whom the server recognises now, or null. */
async function lookWho() {
  if (!state().me) {
    const settings = await call('GET', '/settings', answers.settings)
    if (!settings.ok || !settings.data.cookie_sent) return null
    if (settings.data.refresh_sent) useMode('token')
  }
  return askWho()
}

/** Shows whoever the browser's credential stands for now. */
async function look(): Promise<void> {
  await idle()
  const { me, settings } = state()
  const who = settings && (await lookWho())
  // A later action of the user is newer than this answer.
  if (!who || state().busy || state().me !== me) return
  if (!who.ok) {
    if (me && meansNobody(who.failure)) lost(who.failure)
    return
  }
  const { username, role } = who.data
  const mode = who.mode ?? 'cookie'
  if (me && me.user.username === username && me.user.role === role && me.mode === mode)
    return refreshDevices()
  // The former client follows another sign-in.
  if (me) forgetClient()
  useMode(mode)
  forgetPerson({ me: { user: who.data, mode } })
  tell('page', tSignedIn().me.other(username))
  void follow()
  await signedIn().loadPanels()
}

/** The sign-in has ended, here or elsewhere. The action that ended it here has shown so. */
async function showEnd(code: string): Promise<void> {
  const { me } = state()
  await idle()
  if (me && state().me === me)
    lost({ status: 403, code, msg: tSignedIn().me.ended, reason: null, retryAt: null })
}

async function hearDeed({ did, mode }: Deed): Promise<void> {
  if (did === 'signed_in') return look()
  await idle()
  const { me, failures } = state()
  const words = t().signIn.signedOutElsewhere
  if (me?.mode === mode) await afterSignOut(words)
  // The server was faster than the other tab.
  else if (!me && failures.page && meansNobody(failures.page)) tell('page', words)
}

/** A hidden page looks when it is shown: a request counts as use, and would keep a sign-in alive. */
let isStale = false

function whenShown(work: () => Promise<void>): void {
  isStale ||= document.hidden
  if (!document.hidden) void work()
}

function shown(): void {
  // Nobody tells the form of a sign-in outside of this page.
  if (document.hidden || (state().me && !isStale)) return
  isStale = false
  void look()
}

/**
 * The browser may show a stored page again much later. The page then checks the caller again. A page with a live
 * connection would not be stored, so it is closed.
 */
function leave({ persisted }: PageTransitionEvent): void {
  forgetClient()
  if (!persisted) return
  // During an action, a repaint waits for the next frame. The browser stores the page before that.
  forgetPerson({ settings: null, busy: false })
}

export function watch(): void {
  onSignIn({
    ended: (code) => void showEnd(code),
    // The cookie may have changed its owner while nobody listened.
    begun: () => whenShown(look),
    changed: () => whenShown(refreshDevices),
  })
  onOtherTab((deed) => void hearDeed(deed))
  document.addEventListener('visibilitychange', shown)
  window.addEventListener('pagehide', endUnkept)
  window.addEventListener('pagehide', leave)
  window.addEventListener('pageshow', (event) => {
    if (event.persisted) void start()
  })
}
