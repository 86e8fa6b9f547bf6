import type { Config } from '../../config/config.js'

/** The result of one check, as a sentence. */
export interface Finding {
  /** `warning`: production starts, but perhaps not as intended. */
  readonly verdict: 'ok' | 'warning' | 'fault'
  readonly subject: string
  readonly sentence: string
}

/** Checks one thing that a production start needs. Changes nothing and never rejects. */
export type Check = (config: Config) => Promise<readonly Finding[]>

const finding =
  (verdict: Finding['verdict']) =>
  (subject: string, sentence: string): Finding =>
    Object.freeze({ verdict, subject, sentence })

export const ok = finding('ok')
export const warning = finding('warning')
export const fault = finding('fault')

/** The message of the error's cause, or the error's own message. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}
