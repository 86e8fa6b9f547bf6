import type { StateStore } from 'fastify-identity'

/** The store with some operations replaced, so that an experiment sees what reaches it. The store itself does not change. */
export function overlay(store: StateStore, operations: Partial<StateStore>): StateStore {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(Object.hasOwn(operations, name) ? operations : target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
