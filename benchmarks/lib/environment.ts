import { createHash } from 'node:crypto'

/** A variable that the runner sets. @throws if it is not set */
export function required(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  return value
}

/** Where a contender listens. */
export const place = () => ({ host: '127.0.0.1', port: Number(required('PORT')) })

/** The same in all processes of a run. Looks random, because production refuses a sentence. */
export const SECRET = createHash('sha512').update('benchmarks').digest('base64')

/** Lifetime of every contender's tokens, in seconds. A run is shorter. */
export const TOKEN_TTL = 3600

/** The body of a sign-in. */
export interface SignInBody {
  readonly username: string
}
