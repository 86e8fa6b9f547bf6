import type { MaybePromise, SignInRef } from '../contract.js'
import type { StateStore } from '../stores/contract.js'
import { UNKNOWN_REVISION } from '../stores/rules.js'
import { type Tell, timed } from './timed.js'

/** The operations that are measured. */
export type StoreOperation = Exclude<
  keyof StateStore,
  'kind' | 'feed' | 'onRevoked' | 'onForeignWrite' | 'areLive' | 'revision' | 'close'
>

/** Returns the reporter of an operation. */
export type TellOf = (operation: StoreOperation) => Tell

/** The store, reporting how long its operations took, and which failed. It behaves the same otherwise. */
export function meterStore(store: StateStore, tellOf: TellOf): StateStore {
  /** Looks the method up at each call: an application may replace one. */
  const measured = <Name extends StoreOperation>(name: Name) =>
    ((...args: unknown[]) =>
      timed(
        (): MaybePromise<unknown> => Reflect.apply(store[name] ?? none, store, args),
        tellOf(name),
      )) as StateStore[Name]
  return {
    get kind() {
      return store.kind
    },
    get feed() {
      return store.feed
    },
    // For live connections alone, and not timed.
    ...(store.onRevoked ? { onRevoked: (listener: () => void) => store.onRevoked?.(listener) ?? noop } : {}),
    ...(store.onForeignWrite
      ? { onForeignWrite: (listener: () => void) => store.onForeignWrite?.(listener) ?? noop }
      : {}),
    ...(store.areLive ? { areLive: (refs: readonly SignInRef[]) => store.areLive?.(refs) ?? nothing() } : {}),
    /**
     * Runs with nearly every request. An answer without a promise comes from memory or the embedded file. It is not
     * timed: reading the clock twice would cost more than the answer. A promise is timed from the call on.
     */
    isLive(ref) {
      const live = counted(() => store.isLive(ref), tellOf)
      return typeof live === 'boolean' ? live : timed(() => live, tellOf('isLive'))
    },
    /** Not timed: it runs with every request. */
    revision: () => counted(() => store.revision?.() ?? UNKNOWN_REVISION, tellOf),
    generation: measured('generation'),
    addSignIn: measured('addSignIn'),
    findSignIn: measured('findSignIn'),
    listSignIns: measured('listSignIns'),
    touchSignIn: measured('touchSignIn'),
    rotateRefresh: measured('rotateRefresh'),
    resealSignIn: measured('resealSignIn'),
    ...(store.settleBinding ? { settleBinding: measured('settleBinding') } : {}),
    ...(store.spendOnce ? { spendOnce: measured('spendOnce') } : {}),
    endSignIn: measured('endSignIn'),
    endSignIns: measured('endSignIns'),
    raiseEpoch: measured('raiseEpoch'),
    createSession: measured('createSession'),
    readSession: measured('readSession'),
    replaceSession: measured('replaceSession'),
    touchSession: measured('touchSession'),
    destroySession: measured('destroySession'),
    ping: measured('ping'),
    sweep: measured('sweep'),
    close: () => store.close(),
  }
}

function noop(): void {}

/** The answer of a store that no longer has the method. */
async function nothing(): Promise<readonly boolean[]> {
  return []
}

/** `resealSignIn` of a store without it. */
async function none(): Promise<void> {}

/** Reports an error that is thrown at once as a fault of `isLive`. */
function counted<T>(look: () => T, tellOf: TellOf): T {
  try {
    return look()
  } catch (error) {
    tellOf('isLive')(0, true)
    throw error
  }
}
