import type { Rotation, RotationResult, SignInRecord } from '../contract.js'
import { isWithinLimits, newestFirst, rotatedState, withinLimits } from '../rules.js'
import { base36, decodeSignIn, encodeBinding, encodeFixed, encodeRefresh, encodeSignIn } from './codec.js'
import {
  ADD_SIGN_IN,
  GARBAGE_MARGIN,
  RESEAL_SIGN_IN,
  type RedisClient,
  ROTATE_REFRESH,
  runScript,
  SETTLE_BINDING,
  TOUCH_SIGN_IN,
} from './scripts.js'

const OUTCOMES = ['rotated', 'repeated', 'reused', 'unmet'] as const

/** Sign-ins, in one hash for each account. See SignInStore for the operations. */
export class RedisSignIns {
  constructor(
    private readonly client: RedisClient,
    private readonly prefix: string,
  ) {}

  async add(record: SignInRecord): Promise<number> {
    const { id, createdAt, absoluteExpiresAt } = record
    const keep = absoluteExpiresAt - createdAt + GARBAGE_MARGIN
    const args = [id, encodeSignIn(record), createdAt, keep]
    return Number(await runScript(this.client, ADD_SIGN_IN, this.keyOf(record.accountId), ...args))
  }

  /** The record, even if it is past its limits. */
  async read(accountId: string, id: string): Promise<SignInRecord | null> {
    return decodeSignIn(accountId, id, (await this.client.hget(this.keyOf(accountId), id)) ?? '')
  }

  async find(accountId: string, id: string, now: number): Promise<SignInRecord | null> {
    return withinLimits(await this.read(accountId, id), now)
  }

  async list(accountId: string, now: number): Promise<SignInRecord[]> {
    const texts = await this.client.hgetall(this.keyOf(accountId))
    const records = Object.entries(texts).flatMap(([id, text]) => decodeSignIn(accountId, id, text) ?? [])
    return newestFirst(records.filter((record) => isWithinLimits(record, now)))
  }

  async touch(accountId: string, id: string, lastSeenAt: number, idleExpiresAt: number): Promise<boolean> {
    const args = [id, base36(lastSeenAt), base36(idleExpiresAt)]
    return (await runScript(this.client, TOUCH_SIGN_IN, this.keyOf(accountId), ...args)) === 1
  }

  async rotate(accountId: string, id: string, rotation: Rotation): Promise<RotationResult> {
    const { presented, now, grace, terms } = rotation
    const wanted = terms ? [terms.epoch, terms.endsAfter, terms.claimsMax] : []
    const args = [id, presented, now, grace, encodeRefresh(rotatedState(rotation)), ...wanted]
    const answer = await runScript(this.client, ROTATE_REFRESH, this.keyOf(accountId), ...args)
    const [outcome, text = ''] = Array.isArray(answer) ? answer.map(String) : []
    const signIn = decodeSignIn(accountId, id, text)
    const known = OUTCOMES.find((one) => one === outcome)
    return signIn && known ? { outcome: known, signIn } : { outcome: 'gone' }
  }

  async reseal(record: SignInRecord, seal: string): Promise<void> {
    const args = [record.id, encodeFixed(record), encodeFixed({ ...record, seal })]
    await runScript(this.client, RESEAL_SIGN_IN, this.keyOf(record.accountId), ...args)
  }

  async settle(
    accountId: string,
    id: string,
    binding: string,
    now: number,
    replaced?: string,
  ): Promise<SignInRecord | null> {
    const others = replaced === undefined ? [] : [encodeBinding(replaced)]
    const args = [id, now, encodeBinding(binding), ...others]
    const text = await runScript(this.client, SETTLE_BINDING, this.keyOf(accountId), ...args)
    return text === null ? null : decodeSignIn(accountId, id, String(text))
  }

  /** @returns how many existed */
  remove(accountId: string, ids: readonly string[]): Promise<number> {
    return this.client.hdel(this.keyOf(accountId), ...ids)
  }

  /** In braces, so that future keys of the account can share the slot. */
  keyOf(accountId: string): string {
    return `${this.prefix}si:{${accountId}}`
  }
}
