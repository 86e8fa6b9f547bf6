import { loadPanels, start } from './actions.js'
import * as answers from './answers.js'
import { call } from './api.js'
import { lost, meansNobody } from './asking.js'
import { useMode } from './client.js'
import { t } from './language.js'
import { tell } from './say.js'
import { forgetPerson, state, update } from './store.js'
import { onOtherTab } from './tabs.js'

/*
 * A sign-in can end, and a cookie can change its owner, without any action on this page. The page checks when the user
 * returns to it and when another tab reports a change. It does not poll: that would keep an unused sign-in alive for
 * ever.
 */

/** The caller whom the server recognises now, or null. */
async function lookWho() {
  if (!state().me) {
    const settings = await call('GET', '/settings', answers.settings)
    if (!settings.ok || !settings.data.cookie_sent) return null
    if (settings.data.refresh_sent) useMode('token')
  }
  return call('GET', '/user_info', answers.user)
}

async function look(): Promise<void> {
  const { me } = state()
  const who = await lookWho()
  // A later action of the user is newer than this answer.
  if (!who || state().busy || state().me !== me) return
  if (!who.ok) {
    if (me && meansNobody(who.failure)) lost(who.failure)
    return
  }
  const { username, role } = who.data
  const mode = who.mode ?? 'cookie'
  if (me && me.user.username === username && me.user.role === role && me.mode === mode) return
  useMode(mode)
  forgetPerson({ me: { user: who.data, mode } })
  tell('page', t().me.other(username))
  await loadPanels()
}

let looking = false

async function lookOnce(): Promise<void> {
  const { settings, busy } = state()
  if (looking || busy || !settings || document.visibilityState === 'hidden') return
  looking = true
  await look().finally(() => {
    looking = false
  })
}

/** The browser may show a stored page again much later. The page then checks the caller again. */
function leave(event: PageTransitionEvent): void {
  if (!event.persisted) return
  forgetPerson()
  update({ settings: null })
}

export function watch(): void {
  document.addEventListener('visibilitychange', () => void lookOnce())
  window.addEventListener('focus', () => void lookOnce())
  onOtherTab(() => void lookOnce())
  window.addEventListener('pagehide', leave)
  window.addEventListener('pageshow', (event) => {
    if (event.persisted) void start()
  })
}
