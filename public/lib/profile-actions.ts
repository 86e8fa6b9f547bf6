import { displayName } from './answers.js'
import { call } from './api.js'
import { ask, doing } from './asking.js'
import { tSignedIn } from './language.js'
import { tell } from './say.js'
import { state, update } from './store.js'

/** @returns the name as the server keeps it; undefined if it was not changed */
export async function changeDisplayName(wanted: string | null): Promise<string | null | undefined> {
  let kept: string | null | undefined
  await doing('profile', async () => {
    const done = await ask('profile', call('PATCH', '/user_info', displayName, { display_name: wanted }))
    const { me } = state()
    if (!done || !me) return
    kept = done.data.display_name
    update({ me: { ...me, user: { ...me.user, display_name: kept } } })
    tell('profile', tSignedIn().profile.done)
  })
  return kept
}
