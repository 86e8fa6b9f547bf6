import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { type CookieIssued, CookieMode, type CookieSettings } from './lib/cookie/mode.js'
import { devicesFor } from './lib/device/device-binding.js'
import { claimCookieName } from './lib/http/cookie-names.js'
import { cookieSpec } from './lib/http/cookies.js'
import { checkSeconds, type Known, refuseUnknown } from './lib/options.js'
import { checkCacheOptions } from './lib/verified/cache.js'

export type { CookieIssued }

declare module './lib/contract.js' {
  interface AuthModes {
    cookie: CookieIssued
  }
}

export interface CookieAuthOptions {
  /** Before the `__Host-` prefix. Defaults to `identity`. */
  readonly name?: string
  /** `Secure`, and the `__Host-` prefix. Defaults to true. */
  readonly secure?: boolean
  /** Lifetime in seconds. Defaults to 3600. */
  readonly ttl?: number
  /** Lifetime in seconds when remembered. Defaults to 604800. */
  readonly rememberTtl?: number
  /** Lifetime in seconds since the sign-in, however often the cookie is renewed. Defaults to 2592000. */
  readonly absoluteTtl?: number
  /** How many verified cookies are kept in memory at most. Their signatures are not computed again. Defaults to 1000000. */
  readonly cookieCache?: number
  /** Their estimated memory in bytes: about 1050 for each without added claims. Defaults to 268435456 (256 MiB). */
  readonly cacheBytes?: number
}

const OPTIONS: Known<CookieAuthOptions> = {
  name: true,
  secure: true,
  ttl: true,
  rememberTtl: true,
  absoluteTtl: true,
  cookieCache: true,
  cacheBytes: true,
}

function checkOptions(options: CookieAuthOptions): CookieSettings {
  refuseUnknown(options, OPTIONS)
  const absoluteTtl = checkSeconds('absoluteTtl', options.absoluteTtl ?? 2_592_000)
  return Object.freeze({
    spec: cookieSpec(options.name ?? 'identity', options.secure ?? true),
    ttl: Math.min(checkSeconds('ttl', options.ttl ?? 3600), absoluteTtl),
    rememberTtl: Math.min(checkSeconds('rememberTtl', options.rememberTtl ?? 604_800), absoluteTtl),
    absoluteTtl,
    cache: checkCacheOptions('cookieCache', options.cookieCache, options.cacheBytes),
  })
}

async function cookieAuth(app: FastifyInstance, options: CookieAuthOptions): Promise<void> {
  const settings = checkOptions(options)
  const devices = devicesFor(app, 'cookie', settings.spec)
  const mode = new CookieMode(app, settings, devices)
  if (devices) devices.mode = mode
  app.authModes.add(mode)
  claimCookieName(app, 'name', settings.spec)
}

export default fp(cookieAuth, {
  fastify: '5.x',
  name: 'fastify-identity-cookie',
  dependencies: ['fastify-identity-core', 'fastify-identity-sign-ins'],
})
