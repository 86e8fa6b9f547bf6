import { createHash } from 'node:crypto'

/** A variable that the runner sets. @throws when it did not */
export function required(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  return value
}

/** Where a contender listens. */
export const place = () => ({ host: '127.0.0.1', port: Number(required('PORT')) })

/** The same in all processes of a run, and looking random: production refuses a sentence. */
export const SECRET = createHash('sha512').update('benchmarks').digest('base64')

/** Seconds that a token of any contender lives: a run is over by then. */
export const TOKEN_TTL = 3600

/** What a sign-in sends. */
export interface SignInBody {
  readonly username: string
}
