import type { SessionRecord } from '../contract.js'
import { withinLimits } from '../rules.js'
import { base36, decodeSession, encodeSession } from './codec.js'
import { GARBAGE_MARGIN, REPLACE_SESSION, type RedisClient, runScript, TOUCH_SESSION } from './scripts.js'

/** Sessions, each under its own key. See SessionStore for the operations. */
export class RedisSessions {
  constructor(
    private readonly client: RedisClient,
    private readonly prefix: string,
  ) {}

  async create(key: string, record: SessionRecord): Promise<boolean> {
    const keep = keepSession(record.idleExpiresAt)
    return (await this.client.set(this.keyOf(key), encodeSession(record), 'PX', keep, 'NX')) === 'OK'
  }

  async read(key: string, now: number): Promise<SessionRecord | null> {
    return withinLimits(decodeSession((await this.client.get(this.keyOf(key))) ?? ''), now)
  }

  async replace(key: string, record: SessionRecord): Promise<'replaced' | 'conflict' | 'gone'> {
    const args = [base36(record.version - 1), encodeSession(record), keepSession(record.idleExpiresAt)]
    const outcome = await runScript(this.client, REPLACE_SESSION, this.keyOf(key), ...args)
    return outcome === 'replaced' || outcome === 'conflict' ? outcome : 'gone'
  }

  async touch(key: string, idleExpiresAt: number): Promise<boolean> {
    const args = [base36(idleExpiresAt), keepSession(idleExpiresAt)]
    return (await runScript(this.client, TOUCH_SESSION, this.keyOf(key), ...args)) === 1
  }

  async destroy(key: string): Promise<boolean> {
    return (await this.client.del(this.keyOf(key))) === 1
  }

  keyOf(key: string): string {
    return `${this.prefix}se:${key}`
  }
}

/** How long Redis keeps a session (ms): at least the margin, even if the limit has passed. */
function keepSession(idleExpiresAt: number): number {
  return Math.max(idleExpiresAt - Date.now(), 0) + GARBAGE_MARGIN
}
