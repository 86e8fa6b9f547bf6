import { OptionInvalid } from '../errors.js'
import { type CookieSpec, cookieSpec } from '../http/cookies.js'
import { checkWhole, type Known, refuseUnknown } from '../options.js'
import type { FactorSource } from './contract.js'

export interface FactorsOptions {
  /** Keeps the factors. Defaults to the database of the suite's accounts. Required with accounts of your own. */
  readonly source?: FactorSource
  /** The name of the application in authenticator apps. Defaults to `rpName`. */
  readonly issuer?: string
  /** The domain of passkeys (WebAuthn: relying party). `origins` have this host or a subdomain. Without it: no passkeys. */
  readonly rpId?: string
  /** The name of the application that browsers show. Defaults to `rpId`. */
  readonly rpName?: string
  /** The origins of the pages that ask for passkeys. Defaults to `https://` and `rpId`. */
  readonly origins?: readonly string[]
  /** The maximum number of factors of one account, besides recovery codes. Defaults to 20. */
  readonly cap?: number
  /** The name of the cookie of pending sign-ins, without the `__Host-` prefix. Defaults to `pending`. */
  readonly pendingName?: string
  /** `Secure` cookies with the `__Host-` prefix. Defaults to true. Set by the suite. */
  readonly secure?: boolean
}

/** The relying party of the passkeys. */
export interface PasskeySettings {
  /** The domain that passkeys are bound to. */
  readonly rpId: string
  /** Shown by browsers. */
  readonly rpName: string
  /** The origins of the pages that may use the passkeys. */
  readonly origins: readonly string[]
}

/** Checked and completed. */
export interface FactorSettings {
  readonly issuer: string
  /** Null without passkeys. */
  readonly passkeys: PasskeySettings | null
  readonly cap: number
  /** The cookie of a pending sign-in. */
  readonly spec: CookieSpec
}

const OPTIONS: Known<FactorsOptions> = {
  source: true,
  issuer: true,
  rpId: true,
  rpName: true,
  origins: true,
  cap: true,
  pendingName: true,
  secure: true,
}

const FACTOR_CAP = 20
const FACTOR_CAP_MAX = 1000
const ISSUER = 'fastify-identity'

const FUNCTIONS = [
  'list',
  'find',
  'add',
  'spend',
  'rename',
  'remove',
  'sealedBy',
  'listSealedBy',
  'reseal',
] as const

/** @throws OPTION_INVALID */
export function checkSource(source: FactorSource): FactorSource {
  for (const name of FUNCTIONS) {
    if (typeof source?.[name] !== 'function')
      throw new OptionInvalid('source', `wants the functions ${FUNCTIONS.join(', ')}; it has no ${name}`)
  }
  return source
}

const NAME_MAX = 100
/** People read it. In the label of an `otpauth:` URI, a colon would end the issuer. */
const NAME = new RegExp(`^[^\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}:]{1,${NAME_MAX}}$`, 'u')

function checkName(option: string, name: string): string {
  if (typeof name === 'string' && NAME.test(name)) return name
  throw new OptionInvalid(option, `wants 1 to ${NAME_MAX} visible characters, and no colon`)
}

/** A host name in lower case. No IP address: WebAuthn does not accept one. */
const HOST = /^(?!.*\.\d+$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/

function checkOrigin(origin: string, rpId: string): string {
  const url = typeof origin === 'string' && URL.canParse(origin) ? new URL(origin) : null
  const isOurs = url !== null && (url.hostname === rpId || url.hostname.endsWith(`.${rpId}`))
  // Browsers offer passkeys only over https and at localhost.
  const isSecure = url?.protocol === 'https:' || (url?.protocol === 'http:' && url.hostname === 'localhost')
  if (isOurs && isSecure && url.origin === origin) return origin
  throw new OptionInvalid('origins', `wants origins such as https://${rpId}, with that host or a subdomain`)
}

/** @throws OPTION_INVALID */
function checkPasskeys({ rpId, rpName, origins }: FactorsOptions): PasskeySettings | null {
  if (rpId === undefined) {
    if (rpName !== undefined || origins !== undefined)
      throw new OptionInvalid('rpId', 'is missing: rpName and origins would do nothing')
    return null
  }
  if (typeof rpId !== 'string' || !HOST.test(rpId))
    throw new OptionInvalid('rpId', 'wants a host name in lower case, without scheme and port')
  const pages = origins ?? [`https://${rpId}`]
  if (!Array.isArray(pages) || pages.length === 0)
    throw new OptionInvalid('origins', 'wants a list of at least one origin')
  return Object.freeze({
    rpId,
    rpName: checkName('rpName', rpName ?? rpId),
    origins: Object.freeze(pages.map((origin) => checkOrigin(origin, rpId))),
  })
}

/** @throws OPTION_INVALID naming the option and what it wants */
export function checkFactorsOptions(options: FactorsOptions): FactorSettings {
  refuseUnknown(options, OPTIONS)
  const { cap = FACTOR_CAP, secure = true } = options
  const passkeys = checkPasskeys(options)
  return Object.freeze({
    issuer: checkName('issuer', options.issuer ?? passkeys?.rpName ?? ISSUER),
    passkeys,
    cap: checkWhole('cap', cap, 1, FACTOR_CAP_MAX),
    spec: cookieSpec(options.pendingName ?? 'pending', secure, true),
  })
}
