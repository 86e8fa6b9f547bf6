import { afterSignOut, inLanguage } from './actions.js'
import * as answers from './answers.js'
import { answerOf, call, outcomeOf, signed } from './api.js'
import { ask, doing, refuse } from './asking.js'
import { client } from './client.js'
import { anything } from './decode.js'
import { tSignedIn } from './language.js'
import { focusOn } from './painting.js'
import { loadDevices, loadInspection } from './panels.js'
import { tell } from './say.js'
import { state } from './store.js'
import { tellTabs } from './tabs.js'

/* Actions of a signed-in user on their sign-ins, tokens and password. */

export function signOut(): Promise<void> {
  return doing('me', async () => {
    const { me } = state()
    if (!(await ask('me', signed(client().signOut(inLanguage()))))) return
    if (me) tellTabs('signed_out', me.mode)
    await afterSignOut(tSignedIn().me.signedOut)
  })
}

/** Ends sign-ins by a DELETE on this path. `own`: the caller's own sign-in ends, too. */
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
