/** Why the suite closes a connection, as in the metrics. */
export type Closing = 'signed_out' | 'credential_expired' | 'store_unavailable' | 'stopping' | 'throttled'

export const CLOSINGS: readonly (Closing | 'other')[] = [
  'signed_out',
  'credential_expired',
  'store_unavailable',
  'stopping',
  // The sign-in had too many. It was never open.
  'throttled',
  // By its peer or by the application.
  'other',
]

/** By the code of the error with which a sign-in ended. */
export function reasonOf(error: Error): Closing {
  const code = 'code' in error ? error.code : ''
  if (code === 'SIGNED_OUT') return 'signed_out'
  return code === 'CREDENTIAL_EXPIRED' ? 'credential_expired' : 'store_unavailable'
}

/** Counts the open connections, and those that were closed since the start, by reason. */
export class Connections {
  open = 0
  readonly closed = new Map<string, number>()

  add(): void {
    this.open++
  }

  remove(reason: Closing | 'other'): void {
    this.open--
    this.#count(reason)
  }

  refuse(): void {
    this.#count('throttled')
  }

  #count(reason: Closing | 'other'): void {
    this.closed.set(reason, (this.closed.get(reason) ?? 0) + 1)
  }
}
