import { loadPanels, start } from './actions.js'
import * as answers from './answers.js'
import { call, rotate } from './api.js'
import { lost, meansNobody } from './asking.js'
import { t } from './language.js'
import { tell } from './say.js'
import { forgetPerson, state, update } from './store.js'
import { onOtherTab } from './tabs.js'
import { forgetTokens, tokens } from './tokens.js'

/*
 * A sign-in can end, and a cookie can become somebody else's, without this page doing anything. It looks when
 * somebody comes back to it, and when another tab says so. It does not ask from time to time: that would keep a
 * sign-in alive that nobody uses, for ever.
 */

/** Whom the server recognises now; null where nobody can be. */
async function lookWho() {
  if (!state().me) {
    const settings = await call('GET', '/settings', answers.settings)
    if (!settings.ok || !settings.data.cookie_sent) return null
  }
  // Here a bad credential does not stop the search: with an expired token we would be taken for whom a cookie names.
  const held = tokens()
  const renewed = held && held.expiresAt <= Date.now() ? await rotate() : null
  return renewed?.ok === false ? renewed : call('GET', '/user_info', answers.user)
}

async function look(): Promise<void> {
  const { me } = state()
  const who = await lookWho()
  // What somebody did meanwhile is newer than what was answered.
  if (!who || state().busy || state().me !== me) return
  if (!who.ok) {
    if (me && meansNobody(who.failure)) lost(who.failure)
    return
  }
  const { username, role } = who.data
  const mode = who.mode ?? 'cookie'
  if (me && me.user.username === username && me.user.role === role && me.mode === mode) return
  if (mode !== 'token') forgetTokens()
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

/** The page may be kept as it is, and shown again long after: whoever comes back to it is asked for anew. */
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
