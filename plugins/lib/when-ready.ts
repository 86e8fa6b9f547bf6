import type { MaybePromise } from './contract.js'

/** Goes on with a value that may be there already: without a promise where none came. */
export function whenReady<T, U>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<U>,
): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}
