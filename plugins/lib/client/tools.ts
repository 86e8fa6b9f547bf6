import type { Environment } from './environment.js'

export type Fields = Readonly<Record<string, unknown>>

/** The fields of an object; none of anything else. */
export const fieldsOf = (value: unknown): Fields => Object(value)

/** An answer's JSON, or no fields. The answer can still be read by others. */
export const jsonOf = (response: Response): Promise<Fields> =>
  response
    .clone()
    .json()
    .then(fieldsOf, () => ({}))

/** @param ms milliseconds @throws DOMException (`TimeoutError`) if the work takes longer */
export function within<T>({ timeout }: Environment, ms: number, work: T | Promise<T>): Promise<T> {
  const signal = timeout(ms)
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
    Promise.resolve(work).then(resolve, reject)
  })
}

/** Runs the work once at a time. Callers that come meanwhile get the same result. */
export function single<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined
  return () => {
    running ??= work().finally(() => {
      running = undefined
    })
    return running
  }
}
