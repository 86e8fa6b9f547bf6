import { openProof } from '../../device/proof.js'
import { isBound } from '../../sign-ins/record.js'
import type { Fault, InspectParts } from './finding.js'
import type { Liveness } from './liveness.js'
import type { Pasted } from './pasted.js'

const CODE = 'DEVICE_PROOF_REQUIRED'
const OTHER: Fault = { code: CODE, sentence: 'The proof beside it is not genuine, or names another sign-in.' }
const EXPIRED: Fault = { code: CODE, sentence: 'The proof beside it has expired.' }

/** Why the server refuses the proof beside a cookie of a bound sign-in. Null also if no proof was pasted. */
function faultOf({ config, ring, now }: InspectParts, pasted: Pasted, { signIn }: Liveness): Fault | null {
  const { cookie: mode, proof } = pasted
  if (mode === null || proof === null || !config.deviceBinding || !signIn || !isBound(signIn)) return null
  const content = openProof(ring.purpose('device-proof'), proof, { mode, signInId: signIn.id })
  if (!content) return OTHER
  return content.exp * 1000 <= now ? EXPIRED : null
}

/** Adds the fault of the proof that was pasted with a cookie. */
export function judgeProof(parts: InspectParts, pasted: Pasted, liveness: Liveness | null): Liveness | null {
  return liveness && { ...liveness, fault: liveness.fault ?? faultOf(parts, pasted, liveness) }
}
