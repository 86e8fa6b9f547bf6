import type { Claim } from './text/en.js'

/** The mistakes of tutorials in the order of the page, with the experiments that show them. */
export const CLAIMS: readonly (readonly [Claim, ...experiments: string[]])[] = [
  ['httpOnly', 'injected-script'],
  ['session', 'read-without-a-key', 'copy-after-sign-out'],
  ['encryption', 'read-without-a-key'],
  ['fixation', 'planted-session-id'],
  ['username', 'tutorial-cookie'],
  ['secret', 'another-secret'],
  ['storage', 'injected-script'],
  ['status', 'guess-a-password'],
]

/** The address of the page of claims, behind `#`. */
export const CLAIMS_NAME = 'what-tutorials-say'
