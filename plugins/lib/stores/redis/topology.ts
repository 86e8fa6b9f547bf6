/** What the option `redisUrl` wants. */
export const URL_WANTED = 'wants redis://…, redis+sentinel://… or redis+cluster://…, or the path of a socket'

export interface RedisNode {
  readonly host: string
  readonly port: number
}

interface Login {
  readonly username?: string
  readonly password?: string
}

interface Access extends Login {
  readonly tls?: Record<never, never>
}

export type RedisTopology =
  /** One server: the driver reads the URL itself. */
  | { readonly kind: 'server'; readonly url: string }
  /** The primary that the sentinels name. */
  | {
      readonly kind: 'sentinel'
      readonly nodes: readonly RedisNode[]
      readonly name: string
      readonly db: number
      readonly access: Access
      /** The login at the sentinels. They use TLS if the servers do. */
      readonly sentinelAccess: Login
    }
  /** A cluster, found by any of its nodes. */
  | { readonly kind: 'cluster'; readonly nodes: readonly RedisNode[]; readonly access: Access }

const MANY =
  /^redis(s?)\+(sentinel|cluster):\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([\w.-]+)(?:\/(\d{1,4}))?)?\/?(?:\?([^#]*))?$/
const PORTS = { sentinel: 26379, cluster: 6379 } as const

/**
 * Reads `redis://…`, `rediss://…`,
 * `redis+sentinel://[user:password@]host:port,…/name[/db][?sentinel_username=…&sentinel_password=…]` and
 * `redis+cluster://[user:password@]host:port,…`, the last two also with `rediss+`. The login before the hosts is for
 * the servers. The parameters are for the sentinels. Null for any other text.
 */
export function readRedisUrl(url: string): RedisTopology | null {
  if (isServer(url)) return { kind: 'server', url }
  const [, tls, kind, user, hosts = '', name, db = '0', query] = MANY.exec(url) ?? []
  if (kind !== 'sentinel' && kind !== 'cluster') return null
  const nodes = hosts.split(',').map((host) => readNode(host, PORTS[kind]))
  const access = readAccess(user, tls === 's')
  if (access === null || !nodes.every((node) => node !== null)) return null
  if (kind === 'cluster') return name === undefined && query === undefined ? { kind, nodes, access } : null
  const sentinelAccess = readSentinelAccess(query)
  if (name === undefined || sentinelAccess === null) return null
  return { kind, nodes, name, db: Number(db), access, sentinelAccess }
}

function isServer(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, hostname } = new URL(url)
  return /^rediss?:$/.test(protocol) && hostname !== ''
}

function readNode(text: string, defaultPort: number): RedisNode | null {
  if (!URL.canParse(`redis://${text}`)) return null
  const { hostname, port } = new URL(`redis://${text}`)
  if (hostname === '' || port === '0') return null
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || defaultPort) }
}

function readAccess(user: string | undefined, isEncrypted: boolean): Access | null {
  const tls = isEncrypted ? { tls: {} } : {}
  if (user === undefined) return tls
  const [name = '', ...rest] = user.split(':')
  const login = readLogin(name, rest.join(':'))
  return login && { ...tls, ...login }
}

/** `sentinel_username` and `sentinel_password`, each at most once, and nothing else. */
function readSentinelAccess(query: string | undefined): Login | null {
  const values = new Map<string, string>()
  for (const part of query?.split('&') ?? []) {
    const [, name, value = ''] = /^sentinel_(username|password)=(.+)$/.exec(part) ?? []
    if (name === undefined || values.has(name)) return null
    values.set(name, value)
  }
  // The driver would silently ignore a user without a password.
  if (values.has('username') && !values.has('password')) return null
  return readLogin(values.get('username') ?? '', values.get('password') ?? '')
}

/** Both may be empty, and are percent-encoded: a `+` is a plus. */
function readLogin(name: string, secret: string): Login | null {
  try {
    const username = decodeURIComponent(name)
    const password = decodeURIComponent(secret)
    return { ...(username ? { username } : {}), ...(password ? { password } : {}) }
  } catch {
    return null
  }
}
