import type { SignInRef } from '../contract.js'
import { GENERATION, REVOKE, type RedisClient, runScript, SWEEP } from './redis-scripts.js'
import { newGeneration } from './rules.js'

/** How many entries one script drops: a longer one would keep Redis from everybody else. */
const SWEEP_BATCH = 500

/** Something to refuse, as the list holds it (see redis-scripts.ts). */
type Revocation = readonly [member: string, score: number, keep: number | '']

export function endedSignIn(signInId: string, until: number): Revocation {
  return [`s:${signInId}`, until, '']
}

export function raisedEpoch(
  accountId: string,
  epoch: number,
  spared: string | null,
  until: number,
): Revocation[] {
  const raised: Revocation = [epochMember(accountId), -epoch, until]
  return spared === null ? [raised] : [raised, [sparedMember(accountId, spared), -epoch, until]]
}

function epochMember(accountId: string): string {
  return `e:${accountId}`
}

/** With the length of the first part, no two pairs of ids make one name. */
function sparedMember(accountId: string, signInId: string): string {
  return `p:${accountId.length}:${accountId}:${signInId}`
}

/** The revocation list, in one key with its marker. */
export class RedisRevocations {
  readonly #client: RedisClient
  readonly #key: string

  constructor(client: RedisClient, prefix: string) {
    this.#client = client
    this.#key = `${prefix}{rev}`
  }

  async generation(): Promise<number> {
    return -Number(await runScript(this.#client, GENERATION, this.#key, -newGeneration()))
  }

  /** One command. A list without a marker was lost, and with it what it refused: nothing is live. */
  async isLive({ accountId, signInId, epoch, generation }: SignInRef): Promise<boolean> {
    const members = [`s:${signInId}`, epochMember(accountId), sparedMember(accountId, signInId)]
    const [marker, ended, raised, spared] = await this.#client.zmscore(this.#key, 'g', ...members)
    if (marker == null || -Number(marker) !== generation || ended != null) return false
    if (raised == null || epoch >= -Number(raised)) return true
    return spared != null && Number(spared) <= Number(raised)
  }

  async revoke(revocations: readonly Revocation[]): Promise<void> {
    await runScript(this.#client, REVOKE, this.#key, ...revocations.flat())
  }

  /** Drops one batch. @returns whether there may be more */
  async sweep(now: number): Promise<boolean> {
    return Number(await runScript(this.#client, SWEEP, this.#key, now, SWEEP_BATCH)) === SWEEP_BATCH
  }
}
