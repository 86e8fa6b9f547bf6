import { createHash, randomBytes } from 'node:crypto'
import type { Clock } from '../contract.js'
import type { PurposeKeys } from '../credentials/keys.js'
import { isMacOf, MAC_SHAPE, macOf } from '../device/mac.js'
import type { StateStore } from '../stores/contract.js'
import type { ChallengeScope } from './contract.js'

/** How long a person has to answer, in ms. */
export const CHALLENGE_FOR = 300_000

/** How far ahead the clock of the instance that issued it may be, in ms. */
const AHEAD_MAX = 60_000

/** 128 bits: nobody can guess a future challenge and have it signed in advance. */
const RANDOM_BYTES = 16
const SHAPE = new RegExp(`^([0-9a-z]{1,9})\\.([\\w-]{22})\\.([\\w-]{8})\\.(${MAC_SHAPE})$`)

interface Parts {
  readonly keys: PurposeKeys
  readonly clock: Clock
  readonly store: Required<Pick<StateStore, 'spendOnce'>>
}

/** The parts of the scope that the MAC covers. It also covers the expiry and the random part. */
function namesOf({ purpose, subject, accountId }: ChallengeScope): string[] {
  return [purpose, subject, accountId === null ? '-' : `=${accountId}`]
}

/**
 * Challenges for passkeys: `<expiry>.<random>.<key id>.<MAC>`. The server stores nothing before it has verified an answer.
 * The MAC covers the scope, so a challenge is valid for one purpose, subject and account only.
 */
export class PasskeyChallenges {
  constructor(private readonly parts: Parts) {}

  make(scope: ChallengeScope): string {
    const { signing } = this.parts.keys
    const expiry = (this.parts.clock() + CHALLENGE_FOR).toString(36)
    const random = randomBytes(RANDOM_BYTES).toString('base64url')
    const mac = macOf(signing.key, expiry, random, ...namesOf(scope))
    return [expiry, random, signing.id, mac].join('.')
  }

  /** Whether the text is a challenge for this scope that has not expired. Does not check whether it was spent. */
  isFor(scope: ChallengeScope, text: string): boolean {
    const [, expiry = '', random = '', keyId = '', mac = ''] = SHAPE.exec(text) ?? []
    const key = this.parts.keys.find(keyId)
    if (!key || !isMacOf(mac, key, expiry, random, ...namesOf(scope))) return false
    const left = Number.parseInt(expiry, 36) - this.parts.clock()
    return left > 0 && left <= CHALLENGE_FOR + AHEAD_MAX
  }

  /** Only one of several parallel calls with the same challenge gets true. @throws STORE_UNAVAILABLE */
  spend(text: string): Promise<boolean> {
    const { store, clock } = this.parts
    const until = Number.parseInt(text.slice(0, text.indexOf('.')), 36)
    const key = createHash('sha256').update(`passkey.${text}`).digest('base64url')
    return store.spendOnce(key, until, clock())
  }
}
