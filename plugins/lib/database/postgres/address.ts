export interface PostgresAddress {
  /** A name, an IP address, or the directory of a Unix socket. */
  readonly host: string
  readonly port: number
  readonly database: string
  /** Defaults to `PGUSER`, or the user that runs the process. */
  readonly user?: string
  /** Defaults to `PGPASSWORD`, or the password file. */
  readonly password?: string
  readonly tls: PostgresTls | null
  /** The name of the connections in `pg_stat_activity`. */
  readonly applicationName: string
}

export interface PostgresTls {
  /** False accepts any server. */
  readonly isVerified: boolean
  /** The path of the certificates to trust instead of the usual ones. */
  readonly caFile: string | null
}

/** The form of a URL, for an error message. */
export const URL_WANTED =
  'must be postgres://user:password@host:port/database, percent-encoded, with no parameters except sslmode (disable, require, verify-ca, verify-full or no-verify), sslrootcert (a path), host (the directory of a socket) and application_name'

const PARAMETERS = ['sslmode', 'sslrootcert', 'host', 'application_name']

/*
 * `require` verifies as well, unlike libpq's, which accepts an attacker in the middle. `prefer` and `allow` are not
 * supported: such an attacker can make them give up TLS.
 */
const VERIFYING = ['require', 'verify-ca', 'verify-full']

/**
 * Reads `postgres://user:password@host:port/database` (or `postgresql://`). A host that begins with `%2F`, or
 * `?host=/directory`, is the directory of a Unix socket. Null for anything else, also for an unknown parameter: it would
 * do nothing.
 */
export function readPostgresUrl(url: string): PostgresAddress | null {
  try {
    return read(new URL(url))
  } catch {
    return null
  }
}

/** @throws URIError if a part is not percent-encoded */
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

/** Null if one is unknown, empty, or given twice. */
function readParameters(given: URLSearchParams): Parameters | null {
  const entries = [...given]
  const isSound = entries.every(([name, value]) => PARAMETERS.includes(name) && value !== '')
  const parameters = Object.fromEntries(entries)
  return isSound && Object.keys(parameters).length === entries.length ? parameters : null
}

function readPlace({ hostname, port, pathname }: URL, directory: string | undefined) {
  const host = directory ?? decodeURIComponent(hostname).replace(/^\[(.*)\]$/, '$1')
  const database = decodeURIComponent(pathname.slice(1))
  // The driver does not support a list of hosts, which libpq does.
  const isHost = directory === undefined ? /^[^\s,]+$/.test(host) : host.startsWith('/')
  if (!isHost || port === '0' || database === '' || database.includes('/')) return null
  return { host, port: Number(port || 5432), database }
}

/** Undefined if the parameters contradict each other. */
function readTls({ sslmode = 'disable', sslrootcert }: Parameters): PostgresTls | null | undefined {
  if (VERIFYING.includes(sslmode)) return { isVerified: true, caFile: sslrootcert ?? null }
  // Without verification, the certificates would do nothing.
  if (sslrootcert !== undefined) return undefined
  if (sslmode === 'no-verify') return { isVerified: false, caFile: null }
  return sslmode === 'disable' ? null : undefined
}
