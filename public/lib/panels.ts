import { loadFactors } from '../factors/factor-actions.js'
import { loadAccounts } from './account-actions.js'
import * as answers from './answers.js'
import { call } from './api.js'
import { ask } from './asking.js'
import { isStill, state, update } from './store.js'

async function loadKeys(): Promise<void> {
  const { me } = state()
  const found = await ask('keys', call('GET', '/api_keys', answers.apiKeys))
  if (found && isStill(me)) update({ keys: found.data })
}

/** Loads the sign-ins, and the keys among them. */
export async function loadDevices(): Promise<void> {
  const { me } = state()
  const found = await ask('devices', call('GET', '/sign_ins', answers.signIns))
  if (!found || !isStill(me)) return
  update({ devices: found.data })
  await loadKeys()
}

export async function loadInspection(): Promise<void> {
  const { me, settings } = state()
  if (!settings?.inspector) return
  const found = await ask('inspector', call('GET', '/inspector', answers.inspection))
  if (found && isStill(me)) update({ inspection: found.data })
}

/** Loads all data of the signed-in user. */
export async function loadPanels(): Promise<void> {
  await loadDevices()
  await Promise.all([loadInspection(), loadFactors(), loadAccounts()])
}
