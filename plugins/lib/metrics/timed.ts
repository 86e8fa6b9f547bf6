import type { MaybePromise } from '../contract.js'

/** Receives how long something took, and whether it failed. */
export type Tell = (seconds: number, failed: boolean) => void

/** Not `instanceof Promise`: a driver may have promises of its own kind. */
function isPromiseLike<T>(value: MaybePromise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value
}

const secondsSince = (since: number) => (performance.now() - since) / 1000

async function conclude<T>(running: PromiseLike<T>, since: number, tell: Tell): Promise<T> {
  let failed = true
  try {
    const value = await running
    failed = false
    return value
  } finally {
    tell(secondsSince(since), failed)
  }
}

/** Times the call. A result without a promise stays without one. */
export function timed<T>(run: () => MaybePromise<T>, tell: Tell): MaybePromise<T> {
  const since = performance.now()
  let value: MaybePromise<T>
  try {
    value = run()
  } catch (error) {
    tell(secondsSince(since), true)
    throw error
  }
  if (isPromiseLike(value)) return conclude(value, since, tell)
  tell(secondsSince(since), false)
  return value
}
