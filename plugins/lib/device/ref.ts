import type { ModeName, SignInRef } from '../contract.js'
import { IdentityClaims } from '../credentials/identity-claims.js'
import { type Static, Type } from '../shape.js'

/** A sign-in that a device is bound to, or may be. */
export interface DeviceRef extends SignInRef {
  readonly mode: ModeName
}

const { sub, sid, epoch, gen } = IdentityClaims
const Text = Type.String({ minLength: 1, maxLength: 256 })

/** The fields of a sign-in in a code. */
export const RefFields = { mode: Text, sub, sid, epoch, gen }
const isRefContent = Type.Object(RefFields)
export type RefContent = Static<typeof isRefContent>

export function contentOfRef({ mode, accountId, signInId, epoch, generation }: DeviceRef): RefContent {
  return { mode, sub: accountId, sid: signInId, epoch, gen: generation }
}

export function refOfContent(content: RefContent): DeviceRef {
  const { mode, sub: accountId, sid: signInId, epoch, gen: generation } = content
  return { mode: mode as ModeName, accountId, signInId, epoch, generation }
}

/** Names a sign-in in the MACs of its challenges and its binding. */
export function nameOfRef({ mode, accountId, signInId }: Omit<DeviceRef, 'epoch' | 'generation'>): string[] {
  return [mode, accountId, signInId]
}
