import type { StateStore } from '../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'

/** A store whose content is lost on demand: then it is another one, of another generation. */
export function losableStore() {
  let current = createMemoryStore()
  const store = new Proxy(current, {
    get(_target, name: keyof StateStore) {
      // Each store counts its revisions from 0. So a use of a credential must ask `isLive`.
      if (name === 'revision') return undefined
      const member: unknown = current[name]
      return typeof member === 'function' ? member.bind(current) : member
    },
  })
  const lose = () => {
    current = createMemoryStore()
  }
  return { store, lose }
}
