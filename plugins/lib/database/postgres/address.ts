/** Where a URL of PostgreSQL leads. */
export interface PostgresAddress {
  /** A name, an IP address, or the directory of a Unix socket. */
  readonly host: string
  readonly port: number
  readonly database: string
  /** Without one, the driver's own: `PGUSER`, or who runs the process. */
  readonly user?: string
  /** Without one, the driver's own: `PGPASSWORD`, or what the password file says. */
  readonly password?: string
  readonly tls: PostgresTls | null
  /** Under which name connections show in `pg_stat_activity`. */
  readonly applicationName: string
}

export interface PostgresTls {
  /** False encrypts for whoever answers. */
  readonly isVerified: boolean
  /** The certificates that are trusted instead of the usual ones: a path. */
  readonly caFile: string | null
}

/** What is asked of a URL, as one half of a sentence. */
export const URL_WANTED =
  'must be postgres://user:password@host:port/database, percent-encoded, with no parameters but sslmode (disable, require, verify-ca, verify-full or no-verify), sslrootcert (a path), host (the directory of a socket) and application_name'

const PARAMETERS = ['sslmode', 'sslrootcert', 'host', 'application_name']

/*
 * `require` verifies too, unlike libpq's, which encrypts for anybody who is in the way. `prefer` and `allow`
 * are missing because whoever is in the way can talk them out of it.
 */
const TLS_MODES: ReadonlyMap<string, { readonly isVerified: boolean } | null> = new Map([
  ['disable', null],
  ['require', { isVerified: true }],
  ['verify-ca', { isVerified: true }],
  ['verify-full', { isVerified: true }],
  ['no-verify', { isVerified: false }],
])

/**
 * Reads `postgres://user:password@host:port/database` (or `postgresql://`), a host that begins with `%2F` being
 * the directory of a Unix socket, as `?host=/directory` is. Null for anything else: a parameter that is ignored
 * would be a setting that does nothing.
 */
export function readPostgresUrl(url: string): PostgresAddress | null {
  try {
    return read(new URL(url))
  } catch {
    return null
  }
}

/** @throws where a part is no percent-encoded text */
function read(url: URL): PostgresAddress | null {
  const parameters = readParameters(url.searchParams)
  if (!/^postgres(ql)?:$/.test(url.protocol) || url.hash !== '' || parameters === null) return null
  const place = readPlace(url, parameters.host)
  const tls = readTls(parameters)
  if (place === null || tls === undefined || (place.host.startsWith('/') && tls !== null)) return null
  return {
    ...place,
    ...(url.username ? { user: decodeURIComponent(url.username) } : {}),
    ...(url.password ? { password: decodeURIComponent(url.password) } : {}),
    tls,
    applicationName: parameters.application_name ?? 'fastify-identity',
  }
}

type Parameters = Readonly<Partial<Record<string, string>>>

/** Null when one is unknown, empty, or there twice. */
function readParameters(given: URLSearchParams): Parameters | null {
  const entries = [...given]
  const isSound = entries.every(([name, value]) => PARAMETERS.includes(name) && value !== '')
  const parameters = Object.fromEntries(entries)
  return isSound && Object.keys(parameters).length === entries.length ? parameters : null
}

function readPlace({ hostname, port, pathname }: URL, directory: string | undefined) {
  const host = directory ?? decodeURIComponent(hostname).replace(/^\[(.*)\]$/, '$1')
  const database = decodeURIComponent(pathname.slice(1))
  // A list of hosts is for libpq: the driver knows none.
  const isHost = directory === undefined ? /^[^\s,]+$/.test(host) : host.startsWith('/')
  if (!isHost || port === '0' || database === '' || database.includes('/')) return null
  return { host, port: Number(port || 5432), database }
}

/** Undefined when it cannot be meant. */
function readTls({ sslmode = 'disable', sslrootcert }: Parameters): PostgresTls | null | undefined {
  const mode = TLS_MODES.get(sslmode)
  if (mode?.isVerified) return { ...mode, caFile: sslrootcert ?? null }
  // Nothing is verified that certificates could serve for.
  if (sslrootcert !== undefined) return undefined
  return mode && { ...mode, caFile: null }
}
