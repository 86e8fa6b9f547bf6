/** A variable that the runner sets. @throws when it did not */
export function required(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  return value
}

/** Where a contender listens. */
export const place = () => ({ host: '127.0.0.1', port: Number(required('PORT')) })

export const SECRET = 'a secret for benchmarks, and of more than 32 bytes'

/** Seconds that a token of any contender lives: a run is over by then. */
export const TOKEN_TTL = 3600

/** What a sign-in sends. */
export interface SignInBody {
  readonly username: string
}
