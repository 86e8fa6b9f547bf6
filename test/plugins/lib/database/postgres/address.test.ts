import t from 'tap'
import { readPostgresUrl, URL_WANTED } from '../../../../../plugins/lib/database/postgres/address.js'
import { checkPostgres, type PostgresOptions } from '../../../../../plugins/lib/database/postgres/options.js'

const DEFAULTS = {
  host: 'db',
  port: 5432,
  database: 'identity',
  applicationName: 'fastify-identity',
  tls: null,
}

t.test('a URL says where the database is, and who asks', async (t) => {
  const cases: [string, object][] = [
    ['postgres://db/identity', {}],
    ['postgresql://db/identity', {}],
    ['postgres://db:6432/identity', { port: 6432 }],
    ['postgres://alice@db/identity', { user: 'alice' }],
    ['postgres://al%69ce:p%40ss%2Fw%3Frd%23%25@db/identity', { user: 'alice', password: 'p@ss/w?rd#%' }],
    ['postgres://[::1]:5433/identity', { host: '::1', port: 5433 }],
    ['postgres://%2Fvar%2Frun/identity', { host: '/var/run' }],
    ['postgres:///identity?host=/var/run', { host: '/var/run' }],
    ['postgres://alice@localhost/identity?host=%2Fvar%2Frun', { host: '/var/run', user: 'alice' }],
    ['postgres://db/identity?application_name=blue', { applicationName: 'blue' }],
    ['postgres://db/identit%C3%A9', { database: 'identité' }],
  ]
  for (const [url, wanted] of cases) t.same(readPostgresUrl(url), { ...DEFAULTS, ...wanted }, url)
})

t.test('TLS is what sslmode says, and verifies unless it says not to', async (t) => {
  const verified = { isVerified: true, caFile: null }
  const cases: [string, object | null][] = [
    ['sslmode=disable', null],
    ['sslmode=require', verified],
    ['sslmode=verify-ca', verified],
    ['sslmode=verify-full', verified],
    ['sslmode=verify-full&sslrootcert=/etc/ca.pem', { isVerified: true, caFile: '/etc/ca.pem' }],
    ['sslmode=no-verify', { isVerified: false, caFile: null }],
  ]
  for (const [query, tls] of cases)
    t.match(readPostgresUrl(`postgres://db/identity?${query}`), { tls }, query)
  const refused = [
    ...['prefer', 'allow', 'on', 'constructor', '', 'VERIFY-FULL'].map((mode) => `sslmode=${mode}`),
    'sslrootcert=/ca.pem',
    'sslmode=no-verify&sslrootcert=/ca.pem',
    'sslmode=disable&sslrootcert=/ca.pem',
    'sslmode=require&host=/var/run',
    'sslmode=require&sslmode=disable',
    'ssl=true',
    'sslcert=/a',
  ]
  for (const query of refused) t.equal(readPostgresUrl(`postgres://db/identity?${query}`), null, query)
})

t.test('any other URL is none: what would be ignored too', async (t) => {
  const urls = [
    '',
    'identity',
    'db/identity',
    'mysql://db/identity',
    'postgres:identity',
    '/var/run identity',
    'postgres://',
    'postgres://db',
    'postgres://db/',
    'postgres:///identity',
    'postgres://db/a/b',
    'postgres://one,two/identity',
    'postgres://one:1,two:2/identity',
    'postgres://db:0/identity',
    'postgres://db:99999/identity',
    'postgres://db/identity#part',
    'postgres://u:p?x@db/identity',
    'postgres://u:%zz@db/identity',
    'postgres://db/%zz',
    'postgres://%zz/identity',
    'postgres://a%20b/d',
    'postgres://db/identity?statement_timeout=0',
    'postgres://db/identity?options=-c',
    'postgres://db/d?host=',
    'postgres://db/d?host=other',
    'postgres://db/d?pool_max=1',
    'postgres://db/d?password=x',
  ]
  for (const url of urls) t.equal(readPostgresUrl(url), null, url)
  t.match(URL_WANTED, /^must be postgres:\/\/user:password@host:port\/database, [^.]+$/)
})

t.test('limits have defaults, and are refused by name', async (t) => {
  const defaults = {
    max: 10,
    connectTimeout: 2000,
    queryTimeout: 2000,
    idleTimeout: 30_000,
    startTimeout: 5000,
  }
  t.same(checkPostgres(), defaults)
  t.ok(Object.isFrozen(checkPostgres({})))
  t.same(checkPostgres({ max: 1, queryTimeout: 60_000 }), { ...defaults, max: 1, queryTimeout: 60_000 })
  // Wrong on purpose, as an application in JavaScript could have them.
  const cases: [string, unknown][] = [
    ['pool', null],
    ['pool', 'max'],
    ['pool.max', { max: 0 }],
    ['pool.max', { max: 1001 }],
    ['pool.connectTimeout', { connectTimeout: 0 }],
    ['pool.queryTimeout', { queryTimeout: Number.POSITIVE_INFINITY }],
    ['pool.idleTimeout', { idleTimeout: '1000' }],
    ['pool.startTimeout', { startTimeout: 1.5 }],
    ['maximum', { maximum: 5 }],
  ]
  for (const [name, given] of cases) {
    const refusal = { code: 'OPTION_INVALID', message: new RegExp(`^The option ${name} `) }
    t.throws(() => checkPostgres(given as PostgresOptions), refusal, name)
  }
})
