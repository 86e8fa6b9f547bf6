import type { SignIns } from '../sign-ins.js'
import type { StateStore } from './stores/contract.js'
import { UNKNOWN_REVISION } from './stores/rules.js'

/** What a store says of who is live, whatever kind of store an application has brought. */
export function livenessOf(
  store: Pick<StateStore, 'isLive' | 'revision'>,
): Pick<SignIns, 'isLive' | 'revision'> {
  return {
    isLive(ref) {
      const live = store.isLive(ref)
      // A driver's own kind of promise is no `Promise`, and a mode would take it for "yes".
      return typeof live === 'boolean' ? live : Promise.resolve(live)
    },
    revision() {
      const revision: unknown = store.revision?.()
      return typeof revision === 'number' ? revision : UNKNOWN_REVISION
    },
  }
}
