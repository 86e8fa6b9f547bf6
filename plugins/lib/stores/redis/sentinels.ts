import { Redis, type RedisOptions } from 'ioredis'
import type { RedisClient } from './scripts.js'
import type { RedisTopology } from './topology.js'

const REVIVE_DELAY = 50

/** Clients that must not reconnect. */
const closed = new WeakSet<RedisClient>()

/** A client of the primary that the sentinels name. @param timeout how long a sentinel may take to answer, in ms */
export function connectSentinels(
  { nodes, name, db, access, sentinelAccess }: Extract<RedisTopology, { kind: 'sentinel' }>,
  options: RedisOptions,
  timeout: number,
): Redis {
  const { username, password } = sentinelAccess
  const client = new Redis({
    ...options,
    ...access,
    sentinels: nodes.map((node) => ({ ...node })),
    name,
    db,
    ...(username === undefined ? {} : { sentinelUsername: username }),
    ...(password === undefined ? {} : { sentinelPassword: password }),
    ...(access.tls ? { enableTLSForSentinelMode: true, sentinelTLS: access.tls } : {}),
    sentinelCommandTimeout: timeout,
    // The client then hears of a failover from the sentinels. Otherwise it could stay at an old primary that still
    // answers.
    failoverDetector: true,
  })
  client.on('end', () => void setTimeout(revive, REVIVE_DELAY, client).unref())
  return client
}

/** The driver gives up for good if the sentinels report a failover while it asks them for the primary. */
function revive(client: Redis): void {
  if (!closed.has(client)) client.connect().catch(() => {})
}

/** Marks a client as closed on purpose. */
export function stayClosed(client: RedisClient): void {
  closed.add(client)
}
