import type { FastifyBaseLogger } from 'fastify'
import { ConfigInvalid } from '../../errors.js'
import type { EvictionRisk } from '../options.js'
import { INFO } from './revocation-scripts.js'
import { type RedisClient, runScript } from './scripts.js'

const RISKY =
  'The maxmemory-policy of the Redis at REDIS_URL is %s: it could evict the revocation list, and sign everybody out. Set it to noeviction or volatile-lru.'

function setting(info: string, name: string): string {
  return new RegExp(`^${name}:(\\S*)`, 'm').exec(info)?.[1] ?? ''
}

/** The policy if it may evict keys without a TTL, else null. It does not matter how much memory is free now. */
async function riskyPolicy(client: RedisClient, key: string): Promise<string | null> {
  const info = String(await runScript(client, INFO, key, 'memory'))
  const policy = setting(info, 'maxmemory_policy')
  return Number(setting(info, 'maxmemory')) > 0 && policy.startsWith('allkeys-') ? policy : null
}

/**
 * Checks whether Redis may evict the revocation list, which has no TTL: `allkeys-*` can evict it. Sessions and sign-ins
 * have TTLs, and may be evicted.
 * @throws CONFIG_INVALID if it may, and `risk` is `refuse`
 */
export async function checkEviction(
  client: RedisClient,
  key: string,
  risk: EvictionRisk,
  log: Pick<FastifyBaseLogger, 'warn'>,
): Promise<void> {
  const policy = await riskyPolicy(client, key).catch((error: unknown) => {
    log.warn({ err: new Error(String(error)) }, 'The eviction policy of Redis could not be read.')
    return null
  })
  if (policy === null) return
  const problem = new ConfigInvalid(RISKY.replace('%s', policy))
  if (risk === 'refuse') throw problem
  log.warn(problem.message)
}
