import type { AccountSource, Identity, MaybePromise } from 'fastify-identity'
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

/**
 * How long an avatar is cached, in ms. Identities are never cached here: the guard checks each request first.
 */
export const AVATAR_AGE = 1000
const MAX = 10_000

interface Kept {
  readonly avatar: string
  /** In ms, on the monotonic clock. */
  readonly from: number
}

/** Caches avatars, so that not every `/user_info` reads the database. */
export class AvatarCache {
  readonly #kept = new Map<string, Kept>()

  constructor(
    private readonly source: Pick<AccountSource, 'find'>,
    private readonly clock = () => performance.now(),
  ) {}

  /** @throws SIGNED_OUT (403) if the account was deleted but its sign-ins live on; STORE_UNAVAILABLE */
  of(identity: Identity): MaybePromise<string> {
    const now = this.clock()
    const kept = this.#kept.get(identity.accountId)
    if (kept && now < kept.from + AVATAR_AGE) return kept.avatar
    return this.#read(identity, now)
  }

  async #read({ accountId, username }: Identity, from: number): Promise<string> {
    this.#kept.delete(accountId)
    const profile = await this.source.find(accountId)
    if (!profile) throw endedMeanwhile()
    const avatar = profile.avatar ?? initialAvatar(username)
    this.#keep(accountId, { avatar, from })
    return avatar
  }

  #keep(accountId: string, kept: Kept): void {
    const [oldest] = this.#kept.keys()
    if (this.#kept.size >= MAX && oldest !== undefined) this.#kept.delete(oldest)
    this.#kept.set(accountId, kept)
  }
}
