import type { Config } from '../../config/config.js'

/** What one look has found, in words for people. */
export interface Finding {
  /** `warning`: it will start, and may not be what was meant. */
  readonly verdict: 'ok' | 'warning' | 'fault'
  readonly subject: string
  readonly sentence: string
}

/** Looks at one thing that a production start needs, and changes nothing. Never rejects. */
export type Check = (config: Config) => Promise<readonly Finding[]>

const finding =
  (verdict: Finding['verdict']) =>
  (subject: string, sentence: string): Finding =>
    Object.freeze({ verdict, subject, sentence })

export const ok = finding('ok')
export const warning = finding('warning')
export const fault = finding('fault')

/** What an error says, or what it was caused by where it says nothing of use. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}
