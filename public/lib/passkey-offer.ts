import { secondStep } from './later.js'
import { state } from './store.js'

/** Passkeys work if the browser supports them and this is the server's passkey origin. */
export const hasPasskeys = (): boolean =>
  typeof PublicKeyCredential !== 'undefined' && state().settings?.passkey_origin === location.origin

let isOffered = false

/** While the sign-in form is shown, the browser may suggest passkeys for the username. */
export function offerPasskeys(): void {
  const { me, second, settings } = state()
  const isForm = settings !== null && !me && !second && hasPasskeys()
  if (isForm === isOffered) return
  isOffered = isForm
  if (isForm) void secondStep.load().then((part) => isOffered && part?.startOffer())
  else secondStep.get()?.endOffer()
}
