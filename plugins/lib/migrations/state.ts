import type { Migration } from './index.js'

/** The tables of sign-ins, sessions and revocations. */
export const stateMigrations: Record<string, Migration> = {}
