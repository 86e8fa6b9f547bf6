import type { AccountSource, Identity, MaybePromise } from 'fastify-identity'
import type { AccountEvents } from 'fastify-identity/accounts'
import { endedMeanwhile } from './http/failures.js'

/** Only a letter or digit, since any other character could be markup. */
function initialOf(username: string): string {
  return /[\p{L}\p{N}]/u.exec(username)?.[0]?.toUpperCase() ?? '?'
}

/** The same hue for the same name. */
function hueOf(username: string): number {
  return [...username].reduce((hue, character) => (hue * 31 + (character.codePointAt(0) ?? 0)) % 360, 7)
}

/** An avatar for an account without one: its initial on a colour of its own, as a `data:` address. */
export function initialAvatar(username: string): string {
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" fill="hsl(${hueOf(username)} 45% 45%)"/>` +
    `<text x="32" y="43" font-family="sans-serif" font-size="32" text-anchor="middle" fill="#fff">${initialOf(username)}</text></svg>`
  return `data:image/svg+xml,${encodeURIComponent(svg)}`
}

/** How many sign-ins are shown. */
const LAST_SIGN_INS = 5

export interface LastSignIn {
  readonly auth_type: string
  readonly time: string
  readonly ip: string | null
}

/** What `/user_info` says beside the identity. */
export interface ShownProfile {
  readonly avatar: string
  readonly display_name: string | null
  /** Confirmed; null if there is none. */
  readonly email: string | null
  readonly last_sign_ins: readonly LastSignIn[]
}

/**
 * How long a profile is cached, in ms. Identities are never cached here: the guard checks each request first.
 */
export const PROFILE_AGE = 1000
const MAX = 10_000

interface Kept {
  readonly profile: ShownProfile
  /** In ms, on the monotonic clock. */
  readonly from: number
}

export interface ProfileSources {
  readonly accounts: Pick<AccountSource, 'find'>
  /** Null if nothing keeps them. */
  readonly events: AccountEvents | null
}

/** Caches profiles, so that not every `/user_info` reads the database. */
export class ProfileCache {
  readonly #kept = new Map<string, Kept>()

  constructor(
    private readonly sources: ProfileSources,
    private readonly clock = () => performance.now(),
  ) {}

  /** @throws SIGNED_OUT (403) if the account was deleted but its sign-ins live on; STORE_UNAVAILABLE */
  of(identity: Identity): MaybePromise<ShownProfile> {
    const now = this.clock()
    const kept = this.#kept.get(identity.accountId)
    if (kept && now < kept.from + PROFILE_AGE) return kept.profile
    return this.#read(identity, now)
  }

  /** For a profile that has changed. */
  forget({ accountId }: Identity): void {
    this.#kept.delete(accountId)
  }

  async #read({ accountId, username }: Identity, from: number): Promise<ShownProfile> {
    this.#kept.delete(accountId)
    const { accounts, events } = this.sources
    const [found, signIns] = await Promise.all([accounts.find(accountId), lastSignIns(events, accountId)])
    if (!found) throw endedMeanwhile()
    const { avatar = initialAvatar(username), displayName = null } = found
    const email = 'email' in found && typeof found.email === 'string' ? found.email : null
    const profile = Object.freeze({ avatar, display_name: displayName, email, last_sign_ins: signIns })
    this.#keep(accountId, { profile, from })
    return profile
  }

  #keep(accountId: string, kept: Kept): void {
    const [oldest] = this.#kept.keys()
    if (this.#kept.size >= MAX && oldest !== undefined) this.#kept.delete(oldest)
    this.#kept.set(accountId, kept)
  }
}

/** Newest first. A new API key is an event of the same type, but nobody signed in with it. */
async function lastSignIns(events: AccountEvents | null, accountId: string): Promise<readonly LastSignIn[]> {
  const found = (await events?.recent(accountId, { type: 'signed_in' })) ?? []
  const people = found.filter(({ details }) => details.mode !== 'api_key').slice(0, LAST_SIGN_INS)
  return people.map(({ details, time, ip }) => ({
    auth_type: String(details.mode),
    time: new Date(time).toISOString(),
    ip,
  }))
}
