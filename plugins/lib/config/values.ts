import { isPasswordWord } from '../accounts/password-policy.js'
import { secretShortness, secretWeakness } from '../credentials/secret-strength.js'
import { readPostgresUrl, URL_WANTED } from '../database/postgres/address.js'
import { isPublicOrigin } from '../dpop/address.js'
import { ConfigInvalid } from '../errors.js'
import { parseOrigins } from '../http/same-origin.js'
import { SECONDS_MAX } from '../options.js'
import { readRedisUrl } from '../stores/redis/topology.js'

const REDIS_WANTED = 'must be a redis://, rediss://, redis+sentinel:// or redis+cluster:// address'

export type Environment = Readonly<Record<string, string | undefined>>

/*
 * Each function reads one variable, and throws CONFIG_INVALID for a wrong value. An empty variable counts as not set.
 * No message quotes a value: it may be a misplaced secret.
 */

export function text(env: Environment, name: string, fallback: string): string {
  const value = env[name]?.trim()
  return value ? value : fallback
}

export function list(env: Environment, name: string): readonly string[] {
  const parts = (env[name] ?? '').split(',').map((part) => part.trim())
  return Object.freeze(parts.filter((part) => part !== ''))
}

/** `true` or `false`. */
export function flag(env: Environment, name: string, fallback: boolean): boolean {
  const value = text(env, name, String(fallback))
  if (value !== 'true' && value !== 'false') throw new ConfigInvalid(`${name} must be true or false.`)
  return value === 'true'
}

interface Range {
  readonly unit: string
  readonly least: number
  readonly most: number
}

/** Digits only: `1e3`, `0x10` and ` 15m` are mistakes. */
function whole(env: Environment, name: string, fallback: number, { unit, least, most }: Range): number {
  const value = text(env, name, String(fallback))
  const number = Number(value)
  if (!/^\d+$/.test(value) || number < least || number > most) {
    throw new ConfigInvalid(`${name} must be ${unit}, from ${least} to ${most}.`)
  }
  return number
}

export function seconds(env: Environment, name: string, fallback: number, least = 1): number {
  return whole(env, name, fallback, { unit: 'whole seconds', least, most: SECONDS_MAX })
}

export function count(env: Environment, name: string, fallback: number, most: number): number {
  return whole(env, name, fallback, { unit: 'a whole number', least: 1, most })
}

/** Only checks: fastify-cli listens. */
export function port(env: Environment): void {
  whole(env, 'PORT', 3000, { unit: 'a port number', least: 0, most: 65_535 })
}

/** Defaults to this machine in development. Never taken from a request, because its sender chooses the `Host`. */
export function publicUrl(env: Environment, production: boolean): string | null {
  // An origin does not name the default port.
  const here = new URL(`http://localhost:${text(env, 'PORT', '3000')}`).origin
  const value = text(env, 'PUBLIC_URL', production ? '' : here)
  if (value === '') return null
  if (!isPublicOrigin(value) || (production && !value.startsWith('https:'))) {
    throw new ConfigInvalid(
      'PUBLIC_URL must be an origin such as https://example.com, and http only for localhost in development.',
    )
  }
  return value
}

export function choice<T extends string>(
  env: Environment,
  name: string,
  choices: readonly T[],
  fallback: T,
): T {
  const value = text(env, name, fallback)
  const chosen = choices.find((choice) => choice === value)
  if (chosen === undefined) throw new ConfigInvalid(`${name} must be one of ${choices.join(', ')}.`)
  return chosen
}

export function passwordWords(env: Environment): readonly string[] {
  const words = list(env, 'PASSWORD_WORDS')
  if (!words.every(isPasswordWord)) {
    throw new ConfigInvalid('PASSWORD_WORDS must be a list of words of 3 characters or more.')
  }
  return words
}

export function redisUrl(env: Environment): string | null {
  const value = text(env, 'REDIS_URL', '')
  if (value === '') return null
  if (readRedisUrl(value) === null) throw new ConfigInvalid(`REDIS_URL ${REDIS_WANTED}.`)
  return value
}

export function databaseUrl(env: Environment): string | null {
  const value = text(env, 'DATABASE_URL', '')
  if (value === '') return null
  if (readPostgresUrl(value) === null) throw new ConfigInvalid(`DATABASE_URL ${URL_WANTED}.`)
  return value
}

/** Null if there are none. In production they must also be hard to guess. */
export function secrets(env: Environment, production: boolean): readonly string[] | null {
  const weaknessOf = production ? secretWeakness : secretShortness
  const all = list(env, 'AUTH_SECRETS')
  if (all.length === 0) return null
  for (const [index, secret] of all.entries()) {
    const weakness = weaknessOf(secret)
    if (weakness) throw new ConfigInvalid(`AUTH_SECRETS: secret number ${index + 1} ${weakness}.`)
  }
  if (new Set(all).size !== all.length) throw new ConfigInvalid('AUTH_SECRETS lists one secret twice.')
  return all
}

export function origins(env: Environment): readonly string[] {
  const all = list(env, 'ALLOWED_ORIGINS')
  try {
    parseOrigins(all)
  } catch (cause) {
    throw new ConfigInvalid('ALLOWED_ORIGINS must be a list of origins, such as https://app.example.com.', {
      cause,
    })
  }
  return all
}
