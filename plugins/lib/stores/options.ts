import type { Clock } from '../contract.js'
import { OptionInvalid } from '../errors.js'
import { checkClock, checkWhole, type Known } from '../options.js'
import type { AnyRedisClient } from './backing.js'
import type { StateStore } from './contract.js'
import { URL_WANTED } from './redis/topology.js'

interface CommonOptions {
  /** Decides what has expired. Defaults to the system's clock. */
  readonly clock?: Clock
}

interface RedisChoice {
  /** How long Redis may take to answer, in ms. 1000 by default. After that, STORE_UNAVAILABLE. */
  readonly commandTimeout?: number
  /**
   * Whether the application refuses to start, or only warns, if Redis could evict revocations (`allkeys-*`, with
   * `maxmemory` set). `refuse` by default.
   */
  readonly evictionRisk?: EvictionRisk
  /** How many live revocations this process keeps in memory. A million by default. With more, each request asks Redis. */
  readonly maxRevocations?: number
  /**
   * Replaces Redis' own clock (`TIME`), with which `clock` is compared: if they differ by more than an hour, nothing is
   * issued or collected. For tests whose clock is not the machine's.
   */
  readonly referenceClock?: Clock | undefined
}

export type EvictionRisk = 'refuse' | 'warn'

/** Where sign-ins, sessions and revocations live: exactly one of these. */
export type StoresOptions =
  /** In this process. For tests. */
  | (CommonOptions & { readonly memory: true })
  /** In the embedded file of a directory. One process at a time can serve it. */
  | (CommonOptions & { readonly dataDir: string })
  /** `redis://`, `rediss://`, or the path of a socket. The suite's connection is `app.redis.identity`. */
  | (CommonOptions & RedisChoice & { readonly redisUrl: string })
  /** The application's own client of ioredis, which it closes. A cluster must read from the masters (`scaleReads`). */
  | (CommonOptions & RedisChoice & { readonly redis: AnyRedisClient })
  /** The application's own store, which it sweeps and closes. */
  | { readonly store: StateStore }

export type StoresChoice =
  | { readonly kind: 'memory' }
  | { readonly kind: 'dataDir'; readonly dataDir: string }
  | { readonly kind: 'redisUrl'; readonly redisUrl: string }
  | { readonly kind: 'redis'; readonly redis: AnyRedisClient }
  | { readonly kind: 'store'; readonly store: StateStore }

export interface CheckedStores {
  readonly choice: StoresChoice
  readonly clock: Clock
  readonly commandTimeout: number
  readonly evictionRisk: EvictionRisk
  readonly maxRevocations: number | undefined
  readonly referenceClock: Clock | undefined
}

const KINDS = ['memory', 'dataDir', 'redisUrl', 'redis', 'store'] as const
const TIMEOUT_MAX = 60_000

/** The options of all choices, as a caller without types may give them. */
type Given = CommonOptions &
  RedisChoice & {
    readonly memory?: unknown
    readonly dataDir?: unknown
    readonly redisUrl?: unknown
    readonly redis?: AnyRedisClient
    readonly store?: StateStore
  }

/** @throws OPTION_INVALID naming the option and what it wants */
export function checkStores(options: StoresOptions): CheckedStores {
  const given: Given = { ...options }
  const named = KINDS.filter((kind) => given[kind] !== undefined)
  const [kind] = named
  if (kind === undefined || named.length > 1) {
    throw new OptionInvalid('stores', `wants exactly one of ${KINDS.join(', ')}`)
  }
  refuseUseless(given, kind)
  const { clock = Date.now, commandTimeout = 1000, evictionRisk = 'refuse', maxRevocations } = given
  checkWhole('commandTimeout', commandTimeout, 1, TIMEOUT_MAX, 'whole milliseconds')
  if (evictionRisk !== 'refuse' && evictionRisk !== 'warn') {
    throw new OptionInvalid('evictionRisk', 'wants "refuse" or "warn"')
  }
  return Object.freeze({
    choice: Object.freeze(choose(given, kind)),
    clock: checkClock(clock),
    commandTimeout,
    evictionRisk,
    maxRevocations,
    referenceClock: given.referenceClock && checkClock(given.referenceClock),
  })
}

const FOR_ALL: Known<CommonOptions> = { clock: true }
const FOR_REDIS: Known<CommonOptions & RedisChoice> = {
  ...FOR_ALL,
  commandTimeout: true,
  evictionRisk: true,
  maxRevocations: true,
  referenceClock: true,
}
const USEFUL = { memory: FOR_ALL, dataDir: FOR_ALL, redisUrl: FOR_REDIS, redis: FOR_REDIS, store: {} }

/** Refuses a setting that would do nothing. */
function refuseUseless(given: Given, kind: StoresChoice['kind']): void {
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && name !== kind && !Object.hasOwn(USEFUL[kind], name))
      throw new OptionInvalid(name, `would do nothing with ${kind}`)
  }
}

function choose(given: Given, kind: StoresChoice['kind']): StoresChoice {
  const { dataDir, redisUrl, redis, store } = given
  if (kind === 'dataDir' && typeof dataDir === 'string' && dataDir !== '') return { kind, dataDir }
  if (kind === 'redisUrl' && typeof redisUrl === 'string') return { kind, redisUrl }
  if (kind === 'redis' && typeof redis?.evalsha === 'function' && !readsReplicas(redis))
    return { kind, redis }
  if (kind === 'store' && typeof store?.isLive === 'function') return { kind, store }
  if (kind === 'memory' && given.memory === true) return { kind }
  throw new OptionInvalid(kind, WANTED[kind])
}

/** A replica is behind: it would report an ended sign-in as live. */
function readsReplicas({ options }: AnyRedisClient): boolean {
  return 'scaleReads' in options && options.scaleReads !== 'master'
}

const WANTED: Record<StoresChoice['kind'], string> = {
  memory: 'wants true',
  dataDir: 'wants the path of a directory',
  redisUrl: URL_WANTED,
  redis: 'wants a client of ioredis; a Cluster must have scaleReads "master"',
  store: 'wants a StateStore',
}
