import { type Mode, mode } from './answers.js'
import { type Decoder, oneOf, shape } from './decode.js'

/** An act of the user in another tab. */
export interface Deed {
  readonly did: 'signed_in' | 'signed_out'
  readonly mode: Mode
}

const deed: Decoder<Deed> = shape({ did: oneOf('signed_in', 'signed_out'), mode })

/*
 * The tabs of one browser share its cookies: a sign-in or sign-out in one tab changes all of them. The client tells only
 * tabs of the same mode, and does not say where the sign-in has ended.
 */
const channel = new BroadcastChannel('sign-in')

export const tellTabs = (did: Deed['did'], mode: Mode): void =>
  channel.postMessage({ did, mode } satisfies Deed)

export function onOtherTab(hear: (deed: Deed) => void): void {
  channel.addEventListener('message', ({ data }) => hear(deed(data)))
}
