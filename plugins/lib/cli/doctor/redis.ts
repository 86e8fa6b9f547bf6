import type { Config } from '../../config.js'
import { PREFIX } from '../../stores/redis.js'
import { closeRedis, firstAttempt, openRedis } from '../../stores/redis-client.js'
import { checkEviction } from '../../stores/redis-eviction.js'
import { INFO } from '../../stores/redis-revocation-scripts.js'
import { revocationKeys } from '../../stores/redis-revocations.js'
import { type RedisClient, runScript } from '../../stores/redis-scripts.js'
import { type Finding, fault, ok, reasonOf, warning } from './check.js'

const SUBJECT = 'REDIS_URL'
const LIST = revocationKeys(PREFIX)[0]
/** In ms. */
const TIMEOUT = 3000

async function isReplica(client: RedisClient): Promise<boolean> {
  return /^role:slave/m.test(String(await runScript(client, INFO, LIST, 'replication')))
}

async function look(client: RedisClient): Promise<Finding[]> {
  if (client.status !== 'ready') throw new Error(`it does not answer within ${TIMEOUT / 1000} s`)
  const started = performance.now()
  await client.ping()
  const took = (performance.now() - started).toFixed(1)
  if (await isReplica(client)) return [fault(SUBJECT, 'It leads to a replica, which takes no writes.')]
  const unknown: string[] = []
  await checkEviction(client, LIST, 'refuse', {
    warn: (_details: unknown, message?: string) => void unknown.push(message ?? ''),
  })
  const doubts = unknown.map((sentence) => warning(SUBJECT, sentence))
  return [ok(SUBJECT, `Redis answers in ${took} ms, and evicts no revocations.`), ...doubts]
}

/** Whether Redis answers, and keeps what must be kept. */
export async function checkRedis({ redisUrl }: Config): Promise<readonly Finding[]> {
  if (redisUrl === null) return []
  const problems: Error[] = []
  const client = openRedis(redisUrl, { commandTimeout: TIMEOUT, onError: (error) => problems.push(error) })
  try {
    await firstAttempt(client, TIMEOUT)
    return await look(client)
  } catch (error) {
    return [fault(SUBJECT, `Redis cannot be used: ${reasonOf(problems[0] ?? error)}`)]
  } finally {
    await closeRedis(client)
  }
}
