import { call, type Outcome } from '../lib/api.js'
import { ask, doing } from '../lib/asking.js'
import { anything } from '../lib/decode.js'
import { factors, fewCodes, newCodes, newTotp } from '../lib/factor-answers.js'
import { focusOn } from '../lib/painting.js'
import { complain, tell } from '../lib/say.js'
import { isStill, state, update } from '../lib/store.js'
import { factorTexts } from './text.js'
import { makePasskey, passkeyFailure } from './webauthn.js'

const PLACE = 'factors'

export async function loadFactors(): Promise<void> {
  const { me } = state()
  const outcome = await call('GET', '/factors', factors)
  // An application with accounts of its own may have no factors.
  if (!outcome.ok && outcome.failure.code === 'NOT_FOUND') return
  const found = await ask(PLACE, Promise.resolve(outcome))
  if (found && isStill(me)) update({ factors: found.data })
}

/** Tells a user who has just signed in that few recovery codes are left. */
export function tellFewCodes(data: unknown): void {
  const left = data === undefined ? null : fewCodes(data).recovery_codes_left
  if (left !== null && state().me) tell(PLACE, factorTexts().second.few(left))
}

const pathOf = (id: string) => `/factors/${encodeURIComponent(id)}`

/** Asks for a new secret. */
export function beginTotp(): Promise<void> {
  return doing(PLACE, async () => {
    const begun = await ask(PLACE, call('POST', '/factors/totp', newTotp))
    if (!begun) return
    update({ newTotp: begun.data })
    focusOn('totp-code')
  })
}

export function cancelTotp(): void {
  update({ newTotp: null, failures: {} })
  focusOn('add-totp')
}

/** Shows the list with the new factor, and its recovery codes if it is the first. */
async function showAdded(data: ReturnType<typeof newCodes>): Promise<void> {
  const codes = data.recovery_codes ?? []
  update({ newTotp: null, newCodes: codes.length > 0 ? codes : null })
  await loadFactors()
  tell(PLACE, factorTexts().panel.isAdded)
  focusOn(codes.length > 0 ? 'codes-title' : 'factors-title')
}

export function confirmTotp(code: string, name: string): Promise<void> {
  return doing(PLACE, async () => {
    const { newTotp: begun } = state()
    if (!begun) return
    const body = { id: begun.id, code, name: name || factorTexts().kinds.totp }
    const added = await ask(PLACE, call('POST', '/factors/totp/confirm', newCodes, body))
    if (added) await showAdded(added.data)
  })
}

/** @returns whether the passkey was added */
export function addPasskey(name: string): Promise<boolean> {
  let isAdded = false
  return doing(PLACE, async () => {
    const begun = await ask(PLACE, call('POST', '/passkeys/options', anything))
    if (!begun) return
    const response = await makePasskey(begun.data).catch((error: unknown) => {
      complain(PLACE, passkeyFailure(error))
    })
    if (!response) return
    const body = { response, name: name || factorTexts().kinds.passkey }
    const added = await ask(PLACE, call('POST', '/passkeys', newCodes, body))
    isAdded = added !== null
    if (added) await showAdded(added.data)
  }).then(() => isAdded)
}

export function makeCodes(): Promise<void> {
  return doing(PLACE, async () => {
    const made = await ask(PLACE, call('POST', '/factors/recovery_codes', newCodes))
    if (!made) return
    update({ newCodes: made.data.recovery_codes })
    await loadFactors()
    focusOn('codes-title')
  })
}

/** Removes the codes from the page, which cannot show them again. */
export function hideCodes(): void {
  update({ newCodes: null, notices: {} })
  focusOn('factors-title')
}

export function copyCodes(codes: readonly string[]): Promise<void> {
  return doing(PLACE, async () => {
    await navigator.clipboard.writeText(codes.join('\n'))
    tell(PLACE, factorTexts().codes.copied)
  })
}

/** @param change sends the change to the server */
const changing = (change: () => Promise<Outcome<unknown>>, words: string) =>
  doing(PLACE, async () => {
    if (!(await ask(PLACE, change()))) return
    update({ renaming: null })
    await loadFactors()
    tell(PLACE, words)
    focusOn('factors-title')
  })

export const renameFactor = (id: string, name: string) =>
  changing(() => call('PATCH', pathOf(id), anything, { name }), factorTexts().panel.isRenamed)

export const removeFactor = (id: string) =>
  changing(() => call('DELETE', pathOf(id), anything), factorTexts().panel.isRemoved)
