import { createHash, randomBytes } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { comparableName } from '../accounts/usernames.js'
import type { Account, AccountSource, Clock } from '../contract.js'
import { Instant, Whole } from '../credentials/identity-claims.js'
import type { PurposeKeys } from '../credentials/keys.js'
import { decodeJson, encodeJson, signValue, verifyValue } from '../credentials/signed-value.js'
import { beforeAnswer } from '../http/before-answer.js'
import { type CookieSpec, readCookie, setCookie } from '../http/cookies.js'
import { type Static, Type } from '../shape.js'

/** The cookie's content. Times are in seconds. */
const isPayload = Type.Object(
  {
    v: Type.Literal(1),
    /** The device's random id. */
    id: Type.String({ pattern: '^[\\w-]{22}$' }),
    sub: Type.String({ minLength: 1, maxLength: 256 }),
    /** A digest of the username that was given with the right password. */
    name: Type.String({ pattern: '^[\\w-]{22}$' }),
    epoch: Whole,
    exp: Instant,
    /** Present if a sign-in on the device had two factors. */
    two: Type.Optional(Type.Literal(1)),
  },
  { additionalProperties: false },
)
type DevicePayload = Static<typeof isPayload>

/** A device that signed in to an account before. */
export interface Device {
  readonly id: string
  readonly accountId: string
  /**
   * Whether a sign-in on this device had two factors. An attacker who knows only the password may have signed in on many
   * devices before the account had a second factor. Such devices have no counter of their own for it.
   */
  readonly hasTwoFactors: boolean
}

interface Parts {
  readonly spec: CookieSpec
  readonly keys: PurposeKeys
  readonly clock: Clock
  /** In seconds. */
  readonly ttl: number
  readonly accounts: () => Pick<AccountSource, 'find'>
}

/** Salted with the device's id, so that no table of digests reveals names. */
function nameDigest(id: string, username: string): string {
  const digest = createHash('sha256')
    .update(`${id}\0${comparableName(username)}`)
    .digest('base64url')
  return digest.slice(0, 22)
}

/**
 * Recognises a device that was used to sign in to an account (OWASP, "Slow Down Online Guessing Attacks with Device
 * Cookies"). The cookie grants nothing: attempts from the device are only counted apart.
 */
export class DeviceCookie {
  constructor(private readonly parts: Parts) {}

  /**
   * The device, if its cookie names this username and the account's present epoch and has not expired. Otherwise
   * null, always the same, and the cookie stays.
   * @throws STORE_UNAVAILABLE if the account cannot be looked up
   */
  async recognise(request: FastifyRequest, username: string): Promise<Device | null> {
    const found = this.#open(request)
    if (!found || found.name !== nameDigest(found.id, username)) return null
    const account = await this.parts.accounts().find(found.sub)
    const isCurrent = account !== null && account.id === found.sub && (account.epoch ?? 0) === found.epoch
    const hasTwoFactors = found.two === 1
    return isCurrent ? { id: found.id, accountId: found.sub, hasTwoFactors } : null
  }

  /**
   * After a sign-in, sets the cookie with the answer. A recognised device keeps its id.
   * @param hadTwo whether the sign-in has two factors
   */
  remember(
    request: FastifyRequest,
    account: Account,
    username: string,
    device: Device | null,
    hadTwo: boolean,
  ): void {
    const { spec, keys, ttl, clock } = this.parts
    const known = device?.accountId === account.id ? device : null
    const id = known?.id ?? randomBytes(16).toString('base64url')
    const content: DevicePayload = {
      v: 1,
      id,
      sub: account.id,
      name: nameDigest(id, username),
      epoch: account.epoch ?? 0,
      exp: Math.floor(clock() / 1000) + ttl,
      ...(hadTwo || known?.hasTwoFactors ? { two: 1 as const } : {}),
    }
    const value = signValue(keys, encodeJson(content))
    // After the credential: a session sets its cookie no earlier.
    beforeAnswer(request, (reply) => setCookie(reply, spec, value, ttl))
  }

  #open(request: FastifyRequest): DevicePayload | null {
    const { spec, keys, clock } = this.parts
    const reading = readCookie(request.headers.cookie, spec.name)
    const encoded = reading.kind === 'one' ? verifyValue(keys, reading.value) : null
    const content = encoded === null ? null : decodeJson(encoded)
    return isPayload(content) && clock() < content.exp * 1000 ? content : null
  }
}
