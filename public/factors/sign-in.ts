import { finishSignIn } from '../lib/actions.js'
import { call, signed } from '../lib/api.js'
import { ask, doing } from '../lib/asking.js'
import { client, useMode } from '../lib/client.js'
import { passkeySignIn } from '../lib/factor-answers.js'
import { language } from '../lib/language.js'
import { complain } from '../lib/say.js'
import { state } from '../lib/store.js'
import { isChecked } from '../views/parts.js'
import { passkeyFailure, usePasskey } from './webauthn.js'

/* What a sign-in needs for second factors and passkeys. It is loaded when it is needed. */

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

/** A browser runs one request for a passkey at a time. */
let offer: AbortController | null = null
let offeredAt = 0

async function offerOnce(signal: AbortSignal): Promise<void> {
  const begun = await begin()
  if (!begun.ok || signal.aborted) return
  offeredAt = Date.now()
  const { pending, options } = begun.data
  const response = await usePasskey(options, signal, 'conditional')
  await doing(PLACE, () => finish(pending, response, isChecked('remember')))
}

async function offerUntilEnded(signal: AbortSignal): Promise<void> {
  const isAble = await PublicKeyCredential.isConditionalMediationAvailable?.()
  // The browser ends it when somebody declines. Then the button is left.
  if (isAble && !signal.aborted) await offerOnce(signal).catch(() => {})
}

/** Has the browser offer passkeys where it fills in the username. */
export function startOffer(): void {
  offer = new AbortController()
  void offerUntilEnded(offer.signal)
}

export function endOffer(): void {
  offer?.abort()
  offer = null
}

/** A challenge of an old page is over. */
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
