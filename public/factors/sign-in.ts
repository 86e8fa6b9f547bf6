import { finishSignIn } from '../lib/actions.js'
import { call, signed } from '../lib/api.js'
import { ask, doing, idle } from '../lib/asking.js'
import { client, useMode } from '../lib/client.js'
import { passkeySignIn } from '../lib/factor-answers.js'
import { language } from '../lib/language.js'
import { complain } from '../lib/say.js'
import { state } from '../lib/store.js'
import { isChecked } from '../views/parts.js'
import { passkeyFailure, usePasskey } from './webauthn.js'

/* The part of the page for sign-ins with second factors and passkeys. It is loaded on first use. */

export { beginSecondStep, secondStepView } from './second-step.js'

const PLACE = 'sign-in'
/** In ms. Less than the challenge's five minutes. */
const RENEW_AFTER = 240_000

const begin = () => call('POST', '/login_passkey/options', passkeySignIn)

async function finish(pending: string, response: object, remember: boolean): Promise<void> {
  const { chosen } = state()
  useMode(chosen)
  const proof = { pending, response, ...(chosen === 'token' ? {} : { remember }) }
  const headers = { 'accept-language': language() }
  const granted = await ask(PLACE, signed(client().prove(proof, { headers })))
  if (granted) await finishSignIn(granted.data, chosen)
}

/** A browser handles one passkey request at a time, so the page aborts this one before it makes another. */
let offer: AbortController | null = null
let offeredAt = 0

async function offerOnce(signal: AbortSignal): Promise<void> {
  const begun = await begin()
  if (!begun.ok || signal.aborted) return
  offeredAt = Date.now()
  const { pending, options } = begun.data
  const response = await usePasskey(options, signal, 'conditional')
  // The browser may answer while a sign-out is still under way. `doing` would drop the answer.
  await idle()
  await doing(PLACE, () => finish(pending, response, isChecked('remember')))
}

async function offerUntilEnded(signal: AbortSignal): Promise<void> {
  const isAble = await PublicKeyCredential.isConditionalMediationAvailable?.()
  // If the user declines, the request fails. The button still works.
  if (isAble && !signal.aborted) await offerOnce(signal).catch(() => {})
}

/** Lets the browser offer passkeys as suggestions for the username. */
export function startOffer(): void {
  offer = new AbortController()
  void offerUntilEnded(offer.signal)
}

export function endOffer(): void {
  offer?.abort()
  offer = null
}

/** On a page that stayed open, the challenge may have expired. Gets a new one. */
document.addEventListener('focusin', ({ target }) => {
  const isOld = offer && offeredAt > 0 && Date.now() - offeredAt > RENEW_AFTER
  if (!isOld || !(target instanceof HTMLInputElement) || target.id !== 'username') return
  endOffer()
  startOffer()
})

/** Signs in by a passkey alone. */
export function signInByPasskey(remember: boolean): Promise<void> {
  const wasOffered = offer !== null
  endOffer()
  return doing(PLACE, async () => {
    const begun = await ask(PLACE, begin())
    if (!begun) return
    const response = await usePasskey(begun.data.options).catch((error: unknown) => {
      complain(PLACE, passkeyFailure(error))
    })
    if (response) await finish(begun.data.pending, response, remember)
  }).finally(() => {
    if (wasOffered && !state().me && !state().second) startOffer()
  })
}
