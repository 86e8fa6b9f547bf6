import type { AccountSource, Identity, MaybePromise } from 'fastify-identity'
import { SignedOut } from 'fastify-identity/errors'
import { initialAvatar } from './avatar.js'

/**
 * How long (ms) an avatar is answered from memory. Who somebody is, and whether they are signed in, is never kept
 * here: the guard has said so before anybody asks for the avatar.
 */
export const AVATAR_AGE = 1000
const MAX = 10_000

/** As the guard refuses. */
const NOBODY = { statusCode: 403, headers: { 'www-authenticate': 'Bearer' } }

interface Kept {
  readonly avatar: string
  /** In ms, on the monotonic clock. */
  readonly from: number
}

/** The avatars of the accounts that are asked for most, so that not every `/user_info` asks the database. */
export class AvatarCache {
  readonly #kept = new Map<string, Kept>()

  constructor(
    private readonly source: Pick<AccountSource, 'find'>,
    private readonly clock = () => performance.now(),
  ) {}

  /** @throws SIGNED_OUT (403) where the account went without its sign-ins having been ended; STORE_UNAVAILABLE */
  of(identity: Identity): MaybePromise<string> {
    const now = this.clock()
    const kept = this.#kept.get(identity.accountId)
    if (kept && now < kept.from + AVATAR_AGE) return kept.avatar
    return this.#read(identity, now)
  }

  async #read({ accountId, username }: Identity, from: number): Promise<string> {
    this.#kept.delete(accountId)
    const profile = await this.source.find(accountId)
    if (!profile) throw Object.assign(new SignedOut(), NOBODY)
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
