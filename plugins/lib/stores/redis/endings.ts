import { endedSignIn } from '../../revocation/revocation.js'
import type { SignInRecord } from '../contract.js'
import { isToEnd, isWithinLimits, newestFirst, revokedUntil } from '../rules.js'
import { decodeSignIn } from './codec.js'
import { END_SIGN_IN, END_SIGN_INS } from './ending-scripts.js'
import type { RedisRevocations } from './revocations.js'
import { type RedisClient, runScript, type Script } from './scripts.js'
import type { RedisSessions } from './sessions.js'
import type { RedisSignIns } from './sign-ins.js'

/**
 * Ends sign-ins: revokes them, and then removes their records and sessions. If the revocation fails, the sign-in is still
 * listed and can be ended again.
 *
 * One script does it in one round trip if one node has all keys and no replica must confirm. In a cluster, or with
 * replicas, it is done in steps.
 */
export class RedisEndings {
  constructor(
    private readonly client: RedisClient,
    private readonly revocations: RedisRevocations,
    private readonly signIns: RedisSignIns,
    private readonly sessions: RedisSessions,
  ) {}

  async end(accountId: string, id: string, until: number): Promise<boolean> {
    const text = await this.#atOnce(END_SIGN_IN, accountId, id, until)
    if (text === null) return this.#endInSteps(accountId, id, until)
    const record = decodeSignIn(accountId, id, String(text))
    this.revocations.tell([endedSignIn(id, revokedUntil(record, until))])
    return record !== null
  }

  async endAll(accountId: string, except: string | null, now: number, below?: number): Promise<string[]> {
    const excepted = except === null ? [] : [except]
    const answer = await this.#atOnce(END_SIGN_INS, accountId, below ?? '', ...excepted)
    if (!Array.isArray(answer)) return this.#endAllInSteps(accountId, except, now, below)
    const ended = recordsOf(accountId, answer.map(String))
    this.revocations.tell(ended.map(endOf))
    return idsWithin(newestFirst(ended), now)
  }

  /** @returns the script's answer; null if the steps must do it. They also complete the work of an aborted script. */
  async #atOnce(script: Script, accountId: string, ...args: (string | number)[]): Promise<unknown> {
    if ('nodes' in this.client || (await this.revocations.isForReplicas())) return null
    const keys = [...this.revocations.keys, this.signIns.keyOf(accountId)]
    // The driver adds an application's own prefix to keys, but to no other argument.
    const sessions = `${this.client.options.keyPrefix ?? ''}${this.sessions.keyOf('')}`
    try {
      return await runScript(this.client, script, keys, sessions, ...args)
    } catch (error) {
      // CROSSSLOT: a node of a cluster takes keys of one slot only, also from a client that is not a `Cluster`.
      if (error instanceof Error && error.name === 'ReplyError') return null
      throw error
    }
  }

  /** Revokes without waiting for the record, whose node may be down, and shortens the revocation afterwards. */
  async #endInSteps(accountId: string, id: string, until: number): Promise<boolean> {
    const revoked = this.revocations.revoke([endedSignIn(id, until)])
    const [record] = await Promise.all([this.signIns.read(accountId, id), revoked])
    if (!record) return false
    const kept = revokedUntil(record, until)
    const [removed] = await Promise.all([
      this.#remove(accountId, [record]),
      kept < until && this.revocations.shorten(id, kept),
    ])
    return removed === 1
  }

  async #endAllInSteps(
    accountId: string,
    except: string | null,
    now: number,
    below?: number,
  ): Promise<string[]> {
    const records = await this.signIns.list(accountId, Number.NEGATIVE_INFINITY)
    const ending = records.filter((record) => isToEnd(record, except, below))
    if (ending.length === 0) return []
    await this.revocations.revoke(ending.map(endOf))
    await this.#remove(accountId, ending)
    return idsWithin(ending, now)
  }

  async #remove(accountId: string, records: readonly SignInRecord[]): Promise<number> {
    const ids = records.map(({ id }) => id)
    const sessionKeys = records.flatMap(({ sessionKey }) => sessionKey ?? [])
    const destroyed = sessionKeys.map((key) => this.sessions.destroy(key))
    const [removed] = await Promise.all([this.signIns.remove(accountId, ids), ...destroyed])
    return removed
  }
}

function endOf(record: SignInRecord) {
  return endedSignIn(record.id, revokedUntil(record))
}

function idsWithin(records: readonly SignInRecord[], now: number): string[] {
  return records.filter((record) => isWithinLimits(record, now)).map(({ id }) => id)
}

/** @param answer ids and texts, alternating */
function recordsOf(accountId: string, answer: readonly string[]): SignInRecord[] {
  return answer.flatMap((text, index) => {
    const id = answer[index - 1]
    return index % 2 === 1 && id !== undefined ? (decodeSignIn(accountId, id, text) ?? []) : []
  })
}
