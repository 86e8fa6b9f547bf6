import { madeKey } from './answers.js'
import { call } from './api.js'
import { ask, doing } from './asking.js'
import { tSignedIn } from './language.js'
import { endSignIns } from './own-actions.js'
import { focusOn } from './painting.js'
import { loadDevices } from './panels.js'
import { tell } from './say.js'
import { update } from './store.js'

/** What the form says of a key. `days`: empty for the server's default. */
export interface WantedKey {
  readonly name: string
  readonly days: string
  readonly write: boolean
}

const DAY = 24 * 3600

/** @returns whether the key was made */
export function makeKey({ name, days, write }: WantedKey): Promise<boolean> {
  let made = false
  return doing('keys', async () => {
    const scopes = write ? ['read', 'write'] : ['read']
    const body = { name, scopes, ...(days === '' ? {} : { expires_in: Number(days) * DAY }) }
    const granted = await ask('keys', call('POST', '/api_keys', madeKey, body))
    made = granted !== null
    if (!granted) return
    await loadDevices()
    update({ newKey: granted.data })
    tell('keys', tSignedIn().keys.made)
    focusOn('new-key')
  }).then(() => made)
}

/** Takes the key off the page. Nobody can show it again. */
export function hideKey(): void {
  update({ newKey: null })
  focusOn('keys-title')
}

export function copyKey(key: string): Promise<void> {
  return doing('keys', async () => {
    await navigator.clipboard.writeText(key)
    tell('keys', tSignedIn().keys.copied)
  })
}

export const endKey = (id: string) => endSignIns(`/api_keys/${encodeURIComponent(id)}`, false, 'keys')
