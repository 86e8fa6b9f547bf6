import { list, text } from '../narrow.js'
import type { RedisClock } from './clock.js'
import { BEAT_INTERVAL } from './heartbeat.js'
import { BEAT } from './revocation-scripts.js'
import { type RedisClient, runScript } from './scripts.js'

export interface QuestionParts {
  /** The command connection. */
  readonly client: RedisClient
  readonly keys: readonly [list: string, feed: string]
  readonly clock: RedisClock
}

/**
 * Asks which heartbeat is last in the feed. The answer also holds Redis' time, for the clock.
 * @param name of a new heartbeat, in case one is due
 * @returns the name of the last heartbeat
 * @throws the error of Redis itself (READONLY, OOM). Such a Redis would not store a revocation either
 */
export async function askForBeat({ client, keys, clock }: QuestionParts, name: string): Promise<string> {
  const sent = clock.now()
  const answer = await runScript(client, BEAT, keys, name, BEAT_INTERVAL, clock.offset ?? '')
  const [last, time] = list(answer).map(text)
  clock.compare(sent, time ? Number(time) : null)
  return last ?? ''
}
