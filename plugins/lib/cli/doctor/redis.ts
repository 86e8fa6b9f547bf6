import type { Config } from '../../config/config.js'
import type { Clock } from '../../contract.js'
import { checkEviction } from '../../stores/redis/eviction.js'
import { loadRedis } from '../../stores/redis/load.js'
import { INFO } from '../../stores/redis/revocation-scripts.js'
import { revocationKeys } from '../../stores/redis/revocations.js'
import { PREFIX, type RedisClient, runScript } from '../../stores/redis/scripts.js'
import { CLOCK_MARGIN } from '../../stores/rules.js'
import { type Finding, fault, ok, reasonOf, warning } from './check.js'

const SUBJECT = 'REDIS_URL'
const LIST = revocationKeys(PREFIX)[0]
/** In ms. */
const TIMEOUT = 3000
/** NTP keeps clocks closer than this, in ms. */
const UNUSUAL = 60_000

async function isReplica(client: RedisClient): Promise<boolean> {
  return /^role:slave/m.test(String(await runScript(client, INFO, LIST, 'replication')))
}

/** Checks whether the clocks of Redis and this machine agree: otherwise an instance is not ready. */
async function checkTime(client: RedisClient, clock: Clock): Promise<Finding[]> {
  const sent = clock()
  const answer = await client.time().catch(() => null)
  if (answer === null) return [warning(SUBJECT, 'Redis does not tell the time: grant the command TIME.')]
  const ahead = Number(answer[0]) * 1000 - (sent + clock()) / 2
  const seconds = Math.round(Math.abs(ahead) / 1000)
  const difference = `The clock of Redis is ${seconds} s ${ahead > 0 ? 'ahead of' : 'behind'} this machine's`
  if (Math.abs(ahead) > CLOCK_MARGIN) {
    return [fault(SUBJECT, `${difference}: nobody could sign in. Let NTP set both.`)]
  }
  return Math.abs(ahead) > UNUSUAL ? [warning(SUBJECT, `${difference}. Let NTP set both.`)] : []
}

async function look(client: RedisClient, clock: Clock): Promise<Finding[]> {
  if (client.status !== 'ready') throw new Error(`it does not answer within ${TIMEOUT / 1000} s`)
  const started = performance.now()
  await client.ping()
  const took = (performance.now() - started).toFixed(1)
  if (await isReplica(client)) return [fault(SUBJECT, 'It leads to a replica, which takes no writes.')]
  const found = [ok(SUBJECT, `Redis answers in ${took} ms, and evicts no revocations.`)]
  const warn = (_details: unknown, message = '') => void found.push(warning(SUBJECT, message))
  await checkEviction(client, LIST, 'refuse', { warn })
  return [...found, ...(await checkTime(client, clock))]
}

/** Checks whether Redis answers, evicts no revocations, and has the right time. @param clock this machine's, in ms */
export async function checkRedis(
  { redisUrl }: Pick<Config, 'redisUrl'>,
  clock: Clock = Date.now,
): Promise<readonly Finding[]> {
  if (redisUrl === null) return []
  const problems: Error[] = []
  const { closeRedis, firstAttempt, openRedis } = await loadRedis()
  const client = openRedis(redisUrl, { commandTimeout: TIMEOUT, onError: (error) => problems.push(error) })
  try {
    await firstAttempt(client, TIMEOUT)
    return await look(client, clock)
  } catch (error) {
    return [fault(SUBJECT, `Redis cannot be used: ${reasonOf(problems[0] ?? error)}`)]
  } finally {
    await closeRedis(client)
  }
}
