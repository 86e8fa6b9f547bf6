import { SPENT_MARGIN } from '../rules.js'
import type { RedisClient } from './scripts.js'

/** What was used up, each under its own key. */
export class RedisSpent {
  constructor(
    private readonly client: RedisClient,
    private readonly prefix: string,
  ) {}

  /** @param left how long it matters, in ms */
  async spend(key: string, left: number): Promise<boolean> {
    const keep = Math.max(left, 0) + SPENT_MARGIN
    return (await this.client.set(`${this.prefix}on:${key}`, '', 'PX', keep, 'NX')) === 'OK'
  }
}
