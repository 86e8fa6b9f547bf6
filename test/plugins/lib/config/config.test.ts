import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { type Config, type Environment, readConfig } from '../../../../plugins/lib/config/config.js'

const SECRET = randomBytes(32).toString('base64url')
const OTHER = randomBytes(32).toString('hex')
const PRODUCTION = { NODE_ENV: 'production', AUTH_SECRETS: SECRET, SINGLE_INSTANCE: 'true' }

const DEVELOPMENT_DEFAULTS: Config = {
  production: false,
  host: '127.0.0.1',
  publicUrl: 'http://localhost:3000',
  rpId: 'localhost',
  dataDir: './data',
  redisUrl: null,
  databaseUrl: null,
  secrets: null,
  tokenKeys: null,
  tokenIssuer: 'fastify-identity',
  tokenAudience: 'fastify-identity',
  accessTokenTtl: 900,
  refreshTokenTtl: 604_800,
  refreshGrace: 10,
  cookieTtl: 3600,
  rememberTtl: 604_800,
  cookieAbsoluteTtl: 2_592_000,
  sessionIdleTtl: 7200,
  sessionAbsoluteTtl: 604_800,
  loginLimitAccount: 10,
  loginLimitAddress: 100,
  signInCap: 100,
  apiKeyCap: 50,
  apiKeyTtlMax: 34_560_000,
  cookieSecure: false,
  deviceBinding: false,
  cookieName: 'identity',
  sessionName: 'session',
  trustProxy: [],
  allowedOrigins: [],
  docs: true,
  lab: true,
  metrics: true,
  registrationOpen: true,
  mail: null,
  passwordWords: [],
}

/** Refused with one sentence that names the variable, and that holds none of the environment's values. */
function refused(t: Test, env: Environment, variable: string, what = JSON.stringify(env)): void {
  const error = t.throws(() => readConfig(env), { code: 'CONFIG_INVALID' }, what)
  const message = error instanceof Error ? error.message : ''
  t.match(message, new RegExp(`\\b${variable}\\b`), `${what}: names ${variable}`)
  t.match(message, /^[^\n]+\.$/, `${what}: one sentence`)
  t.equal((message.match(/[.!?](\s|$)/g) ?? []).length, 1, `${what}: one sentence only`)
  for (const value of Object.values(env)) {
    // Short values, such as a digit, are in any sentence.
    if (value && value.length > 9 && value.trim() !== 'production')
      t.notOk(message.includes(value), `${what}: quotes nothing`)
  }
}

t.test('in development every variable has a default', async (t) => {
  t.strictSame(readConfig({}), DEVELOPMENT_DEFAULTS)
})

t.test('with secure cookies, sign-ins are bound to devices', async (t) => {
  const secure = { ...DEVELOPMENT_DEFAULTS, cookieSecure: true }
  t.strictSame(readConfig({ COOKIE_SECURE: 'true' }), { ...secure, deviceBinding: true })
  t.strictSame(readConfig({ COOKIE_SECURE: 'true', DEVICE_BINDING: 'off' }), secure)
})

t.test('in production cookies are secure, nobody registers, and secrets are the operator’s', async (t) => {
  t.strictSame(readConfig(PRODUCTION), {
    ...DEVELOPMENT_DEFAULTS,
    production: true,
    publicUrl: null,
    rpId: null,
    cookieSecure: true,
    deviceBinding: true,
    docs: false,
    lab: false,
    metrics: false,
    registrationOpen: false,
    secrets: [SECRET],
  })
})

t.test('a blank line in an environment file sets nothing', async (t) => {
  const names = [
    'NODE_ENV',
    'HOST',
    'PORT',
    'DATA_DIR',
    'REDIS_URL',
    'DATABASE_URL',
    'AUTH_SECRETS',
    'TOKEN_PRIVATE_KEY',
  ]
  names.push(
    'TOKEN_ISSUER',
    'TOKEN_AUDIENCE',
    'ACCESS_TOKEN_TTL',
    'REFRESH_TOKEN_TTL',
    'REFRESH_GRACE',
    'COOKIE_TTL',
  )
  names.push(
    'REMEMBER_TTL',
    'COOKIE_ABSOLUTE_TTL',
    'SESSION_IDLE_TTL',
    'SESSION_ABSOLUTE_TTL',
    'SIGN_IN_CAP',
    'COOKIE_SECURE',
  )
  names.push('COOKIE_NAME', 'SESSION_NAME', 'PUBLIC_URL', 'RP_ID', 'DEVICE_BINDING', 'MAIL_URL', 'MAIL_FROM')
  names.push('TRUST_PROXY', 'ALLOWED_ORIGINS', 'SINGLE_INSTANCE', 'REGISTRATION', 'PASSWORD_WORDS', 'LAB')
  for (const blank of ['', ' ', '\t\r']) {
    const env = Object.fromEntries(names.map((name) => [name, blank]))
    t.strictSame(readConfig(env), DEVELOPMENT_DEFAULTS, JSON.stringify(blank))
    for (const name of names.filter((name) => !(name in PRODUCTION))) {
      t.strictSame(
        readConfig({ ...PRODUCTION, [name]: blank }),
        readConfig(PRODUCTION),
        `${name} in production`,
      )
    }
  }
})

t.test('the config is frozen at every depth', async (t) => {
  const config = readConfig({
    AUTH_SECRETS: SECRET,
    TRUST_PROXY: '10.0.0.1',
    ALLOWED_ORIGINS: 'https://a.example',
  })
  for (const value of [config, config.secrets, config.trustProxy, config.allowedOrigins])
    t.ok(Object.isFrozen(value))
})

t.test('each variable sets what it says', async (t) => {
  const rows: [variable: string, value: string, field: keyof Config, expected: unknown][] = [
    ['NODE_ENV', 'development', 'production', false],
    ['NODE_ENV', 'test', 'production', false],
    ['HOST', '::1', 'host', '::1'],
    ['HOST', ' localhost ', 'host', 'localhost'],
    ['DATA_DIR', '/var/lib/identity', 'dataDir', '/var/lib/identity'],
    ['REDIS_URL', 'redis://127.0.0.1:6379/2', 'redisUrl', 'redis://127.0.0.1:6379/2'],
    ['REDIS_URL', 'rediss://user:p%40ss@redis.example', 'redisUrl', 'rediss://user:p%40ss@redis.example'],
    ['REDIS_URL', ' redis://[::1]:6379 ', 'redisUrl', 'redis://[::1]:6379'],
    ['DATABASE_URL', ' postgres://u:p@db/identity ', 'databaseUrl', 'postgres://u:p@db/identity'],
    ['AUTH_SECRETS', SECRET, 'secrets', [SECRET]],
    ['AUTH_SECRETS', `${SECRET},${OTHER}`, 'secrets', [SECRET, OTHER]],
    ['AUTH_SECRETS', ` ${OTHER} , ${SECRET} ,`, 'secrets', [OTHER, SECRET]],
    ['TOKEN_ISSUER', 'https://id.example', 'tokenIssuer', 'https://id.example'],
    ['TOKEN_AUDIENCE', 'api', 'tokenAudience', 'api'],
    ['ACCESS_TOKEN_TTL', '60', 'accessTokenTtl', 60],
    ['REFRESH_TOKEN_TTL', '86400', 'refreshTokenTtl', 86_400],
    ['REFRESH_GRACE', '0', 'refreshGrace', 0],
    ['REFRESH_GRACE', '30', 'refreshGrace', 30],
    ['COOKIE_TTL', '60', 'cookieTtl', 60],
    ['REMEMBER_TTL', '2592000', 'rememberTtl', 2_592_000],
    ['COOKIE_ABSOLUTE_TTL', '31536000', 'cookieAbsoluteTtl', 31_536_000],
    ['SESSION_IDLE_TTL', '60', 'sessionIdleTtl', 60],
    ['SESSION_ABSOLUTE_TTL', '7200', 'sessionAbsoluteTtl', 7200],
    ['RP_ID', 'localhost', 'rpId', 'localhost'],
    ['PORT', '8080', 'publicUrl', 'http://localhost:8080'],
    ['PORT', '80', 'publicUrl', 'http://localhost'],
    ['SIGN_IN_CAP', '1', 'signInCap', 1],
    ['SIGN_IN_CAP', '10000', 'signInCap', 10_000],
    ['COOKIE_SECURE', 'false', 'cookieSecure', false],
    ['DEVICE_BINDING', 'off', 'deviceBinding', false],
    ['COOKIE_NAME', ' center_id ', 'cookieName', 'center_id'],
    ['SESSION_NAME', 'sid', 'sessionName', 'sid'],
    ['TRUST_PROXY', 'true', 'trustProxy', true],
    ['TRUST_PROXY', '10.0.0.1', 'trustProxy', ['10.0.0.1']],
    ['TRUST_PROXY', '10.0.0.0/8, 172.16.0.0/12,::1', 'trustProxy', ['10.0.0.0/8', '172.16.0.0/12', '::1']],
    ['TRUST_PROXY', 'fd00::/8,2001:db8::1/128', 'trustProxy', ['fd00::/8', '2001:db8::1/128']],
    ['TRUST_PROXY', '0.0.0.0/0', 'trustProxy', ['0.0.0.0/0']],
    ['REGISTRATION', ' closed ', 'registrationOpen', false],
    ['LAB', 'false', 'lab', false],
    ['PASSWORD_WORDS', 'acme, Acmé Cloud ,', 'passwordWords', ['acme', 'Acmé Cloud']],
    ['ALLOWED_ORIGINS', 'https://app.example.com', 'allowedOrigins', ['https://app.example.com']],
    [
      'ALLOWED_ORIGINS',
      'http://a.example:8080, https://b.example',
      'allowedOrigins',
      ['http://a.example:8080', 'https://b.example'],
    ],
  ]
  for (const [variable, value, field, expected] of rows) {
    t.strictSame(
      readConfig({ [variable]: value }),
      { ...DEVELOPMENT_DEFAULTS, [field]: expected },
      `${variable}=${value}`,
    )
  }
})

/** Of cookies: what no browser would keep, and what the server calls, or will call, other ones. */
const NOT_NAMES = [
  'a b',
  'a=b',
  'a;b',
  'naïve',
  'a,b',
  '"a"',
  'x'.repeat(65),
  '__Host-identity',
  '__secure-identity',
  'device',
  'refresh',
  'pending',
  'session_proof',
  'other_proof',
]

t.test('a malformed variable is refused by name', async (t) => {
  const notSeconds = [
    '0',
    '-1',
    '1.5',
    '1e3',
    '0x10',
    '15m',
    '900s',
    '1_000',
    '+5',
    '٣',
    'NaN',
    'Infinity',
    '9'.repeat(30),
    '900,900',
  ]
  const malformed: Record<string, string[]> = {
    PORT: ['-1', '65536', '3000.5', '80a', '0x50', 'http', '100000'],
    REDIS_URL: [
      'localhost:6379',
      'http://localhost',
      'redis:localhost',
      'redis://',
      'redis:///1',
      'unix:///tmp/redis',
      'redis://a b',
    ],
    ACCESS_TOKEN_TTL: notSeconds,
    REFRESH_TOKEN_TTL: notSeconds,
    REFRESH_GRACE: notSeconds.filter((value) => value !== '0'),
    COOKIE_TTL: notSeconds,
    REMEMBER_TTL: notSeconds,
    COOKIE_ABSOLUTE_TTL: notSeconds,
    SESSION_IDLE_TTL: notSeconds,
    SESSION_ABSOLUTE_TTL: notSeconds,
    SIGN_IN_CAP: [...notSeconds, '10001'],
    COOKIE_SECURE: ['TRUE', 'yes', '1', 'auto', 'truefalse'],
    DEVICE_BINDING: ['true', 'required', 'ON'],
    COOKIE_NAME: [...NOT_NAMES, 'session'],
    SESSION_NAME: [...NOT_NAMES, 'identity', 'identity_proof'],
    SINGLE_INSTANCE: ['TRUE', 'yes', '1', '0'],
    PUBLIC_URL: [
      'center.example',
      'http://center.example',
      'https://center.example/',
      'https://center.example/path',
      'https://center.example:443',
      'https://alice@center.example',
      'ftp://center.example',
      '*',
      'https://a.example, https://b.example',
    ],
    TRUST_PROXY: [
      'TRUE',
      '1',
      'false',
      'loopback',
      'proxy.example',
      '10.0.0',
      '10.0.0.0/33',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      '10.0.0.0/-1',
      '::1/129',
      '/8',
      '10.0.0.1 10.0.0.2',
      '10.0.0.1,true',
    ],
    ALLOWED_ORIGINS: [
      '*',
      'null',
      'app.example.org',
      'https://app.example.com/',
      'https://APP.example.com',
      'https://app.example.com:443',
      'https://app.example.com/path',
      'https://user@app.example.com',
      'file:///tmp',
      'https://*.example.com',
      'https://a.example https://b.example',
    ],
    DATABASE_URL: [
      'localhost/identity',
      'postgres://localhost',
      'mysql://localhost/identity',
      'postgres://user:secret@localhost/identity?sslmode=prefer',
      'postgres://user:s?cret@localhost/identity',
    ],
    LAB: ['on', '1', 'True'],
    REGISTRATION: ['true', 'Open', 'on', '1', 'open,closed', 'constructor'],
    PASSWORD_WORDS: ['ab', 'acme,ab', '🔑🔑'],
    TOKEN_PRIVATE_KEY: ['/etc/identity/there-is-no-such-key.pem', ',', 'shared'],
  }
  for (const [variable, values] of Object.entries(malformed)) {
    for (const value of values) {
      refused(t, { [variable]: value }, variable, `${variable}=${value}`)
      refused(t, { ...PRODUCTION, [variable]: value }, variable, `${variable}=${value} in production`)
    }
  }
})

t.test('any port is a port', async (t) => {
  for (const PORT of ['0', '1', '80', '3000', '65535', ' 8080 '])
    t.match(readConfig({ PORT }), { ...DEVELOPMENT_DEFAULTS, publicUrl: /^http:\/\/localhost(:\d+)?$/ })
})

t.test('lifetimes that contradict each other are refused by both names', async (t) => {
  const pairs = [
    ['ACCESS_TOKEN_TTL', 'REFRESH_TOKEN_TTL'],
    ['REFRESH_GRACE', 'REFRESH_TOKEN_TTL'],
    ['COOKIE_TTL', 'COOKIE_ABSOLUTE_TTL'],
    ['REMEMBER_TTL', 'COOKIE_ABSOLUTE_TTL'],
    ['SESSION_IDLE_TTL', 'SESSION_ABSOLUTE_TTL'],
  ] as const
  const short = {
    ACCESS_TOKEN_TTL: '5',
    REFRESH_GRACE: '5',
    COOKIE_TTL: '5',
    REMEMBER_TTL: '5',
    SESSION_IDLE_TTL: '5',
  }
  for (const [name, limit] of pairs) {
    const env = { ...short, [name]: '61', [limit]: '60' }
    refused(t, env, name)
    refused(t, env, limit)
    t.ok(readConfig({ ...env, [name]: '60' }), `${name} may be as long as ${limit}`)
  }
  refused(t, { REFRESH_TOKEN_TTL: '600' }, 'ACCESS_TOKEN_TTL', 'a default contradicts as well')
})

t.test('production', async (t) => {
  t.test('needs AUTH_SECRETS', async (t) => {
    for (const AUTH_SECRETS of [undefined, '', ' ', ',', ' , ,']) {
      refused(t, { ...PRODUCTION, AUTH_SECRETS }, 'AUTH_SECRETS', JSON.stringify(AUTH_SECRETS))
    }
  })

  t.test('refuses a secret that is short, well known or trivial, also behind a good one', async (t) => {
    const weak = {
      short: SECRET.slice(0, 31),
      'well known': 'change-me-to-a-secret-of-at-least-32-bytes',
      trivial: 'x'.repeat(64),
      'a sequence': 'abcdefghijklmnopqrstuvwxyz0123456789',
      'the words of an example': 'keyboard cat keyboard cat keyboard cat',
    }
    for (const [what, secret] of Object.entries(weak)) {
      refused(t, { ...PRODUCTION, AUTH_SECRETS: secret }, 'AUTH_SECRETS', what)
      const env = { ...PRODUCTION, AUTH_SECRETS: `${SECRET},${secret}` }
      refused(t, env, 'AUTH_SECRETS', `${what}, second`)
      const error = t.throws(() => readConfig(env), { message: /secret number 2/ }, `${what}: says which one`)
      t.notOk(String(error).includes(secret), `${what}: and does not quote it`)
    }
  })

  t.test('needs both of REDIS_URL and DATABASE_URL, or SINGLE_INSTANCE=true', async (t) => {
    const REDIS_URL = 'redis://localhost:6379'
    const DATABASE_URL = 'postgres://localhost/identity'
    for (const SINGLE_INSTANCE of [undefined, '', ' ', 'false']) {
      for (const urls of [
        {},
        { REDIS_URL },
        { DATABASE_URL },
        { REDIS_URL, DATABASE_URL: ' ' },
        { REDIS_URL: '', DATABASE_URL },
      ]) {
        const env = { ...PRODUCTION, SINGLE_INSTANCE, ...urls }
        for (const name of ['SINGLE_INSTANCE', 'REDIS_URL', 'DATABASE_URL']) refused(t, env, name)
      }
    }
    t.ok(readConfig(PRODUCTION), 'one process on the embedded stores')
    t.equal(readConfig({ ...PRODUCTION, REDIS_URL }).redisUrl, REDIS_URL, 'one process on Redis')
    const scaledOut = { NODE_ENV: 'production', AUTH_SECRETS: SECRET, REDIS_URL, DATABASE_URL }
    t.match(readConfig(scaledOut), { redisUrl: REDIS_URL, databaseUrl: DATABASE_URL })
  })

  t.test('refuses proxies that would trust everybody', async (t) => {
    for (const TRUST_PROXY of [
      'true',
      ' true ',
      '10.0.0.1,true',
      '0.0.0.0/0',
      '::/0',
      '10.0.0.1, 0.0.0.0/00',
    ]) {
      refused(t, { ...PRODUCTION, TRUST_PROXY }, 'TRUST_PROXY', TRUST_PROXY)
    }
    t.strictSame(readConfig({ ...PRODUCTION, TRUST_PROXY: '10.0.0.0/8' }).trustProxy, ['10.0.0.0/8'])
  })

  t.test('is production in whatever case, and with whatever blanks a shell left', async (t) => {
    for (const NODE_ENV of ['production', 'production ', ' production', 'PRODUCTION', 'Production\r']) {
      refused(t, { NODE_ENV }, 'AUTH_SECRETS', JSON.stringify(NODE_ENV))
      t.equal(readConfig({ ...PRODUCTION, NODE_ENV }).production, true)
    }
  })

  t.test('may be told that anybody registers', async (t) => {
    t.equal(readConfig({ ...PRODUCTION, REGISTRATION: 'open' }).registrationOpen, true)
  })

  t.test('has no experiments', async (t) => {
    t.equal(readConfig(PRODUCTION).lab, false)
    t.equal(readConfig({ ...PRODUCTION, LAB: 'false' }).lab, false)
    refused(t, { ...PRODUCTION, LAB: 'true' }, 'LAB')
  })

  t.test('may be told that cookies are not secure', async (t) => {
    t.equal(readConfig({ ...PRODUCTION, COOKIE_SECURE: 'false' }).cookieSecure, false)
  })

  t.test('binds sign-ins to devices, unless it is told not to, or cookies are not secure', async (t) => {
    const { deviceBinding } = readConfig(PRODUCTION)
    t.equal(deviceBinding, true)
    t.equal(readConfig({ ...PRODUCTION, DEVICE_BINDING: 'off' }).deviceBinding, false)
    t.equal(readConfig({ ...PRODUCTION, COOKIE_SECURE: 'false' }).deviceBinding, false)
    refused(t, { ...PRODUCTION, COOKIE_SECURE: 'false', DEVICE_BINDING: 'on' }, 'DEVICE_BINDING')
  })
})

t.test('a secret listed twice, or too short, is refused in development too', async (t) => {
  refused(t, { AUTH_SECRETS: `${SECRET},${OTHER},${SECRET}` }, 'AUTH_SECRETS')
  refused(t, { AUTH_SECRETS: SECRET.slice(0, 31) }, 'AUTH_SECRETS')
  refused(t, { AUTH_SECRETS: `${SECRET},${OTHER.slice(0, 20)}` }, 'AUTH_SECRETS')
})

t.test('in development a secret may be simple', async (t) => {
  t.strictSame(readConfig({ AUTH_SECRETS: 'x'.repeat(32) }).secrets, ['x'.repeat(32)])
})

t.test('no refusal quotes a secret that stands in the wrong place', async (t) => {
  for (const name of [
    'PORT',
    'REDIS_URL',
    'ACCESS_TOKEN_TTL',
    'COOKIE_SECURE',
    'SINGLE_INSTANCE',
    'TRUST_PROXY',
    'ALLOWED_ORIGINS',
    'PUBLIC_URL',
    'DATABASE_URL',
    'TOKEN_PRIVATE_KEY',
  ]) {
    refused(t, { [name]: SECRET }, name)
  }
})

t.test('in production the public address is one of https', async (t) => {
  refused(t, { ...PRODUCTION, PUBLIC_URL: 'http://localhost:3000' }, 'PUBLIC_URL')
  refused(t, { ...PRODUCTION, PUBLIC_URL: 'http://center.example' }, 'PUBLIC_URL')
  const { publicUrl } = readConfig({ ...PRODUCTION, PUBLIC_URL: 'https://center.example' })
  t.equal(publicUrl, 'https://center.example')
})

const FROM = 'center@mail.example'

t.test('MAIL_URL and MAIL_FROM say where mails are handed over, and whom they come from', async (t) => {
  const mailOf = (env: Environment) => readConfig({ MAIL_FROM: FROM, ...env }).mail
  const from = { name: '', address: FROM }
  const plain = { host: 'mail.example', port: 587, tls: false, auth: null, from }
  t.same(mailOf({ MAIL_URL: 'smtp://mail.example' }), plain)
  t.same(mailOf({ MAIL_URL: 'smtp://[::1]:2525' }), { ...plain, host: '::1', port: 2525 })
  const auth = { user: 'a@b', pass: 'p:w/d' }
  const secured = { ...plain, port: 465, tls: true, auth }
  t.same(mailOf({ MAIL_URL: 'smtps://a%40b:p%3Aw%2Fd@mail.example' }), secured)
  for (const named of [`The Center <${FROM}>`, `"The Center" <${FROM}>`]) {
    const mail = mailOf({ MAIL_URL: 'smtp://mail.example', MAIL_FROM: named })
    t.same(mail?.from, { name: 'The Center', address: FROM })
  }
})

t.test('RP_ID is the host of PUBLIC_URL, or a domain that it is in', async (t) => {
  const hosts = [
    ['https://login.center.example:8443', 'login.center.example'],
    ['http://localhost:8080', 'localhost'],
    ['http://127.0.0.1:8080', null],
  ] as const
  for (const [publicUrl, rpId] of hosts)
    t.strictSame(readConfig({ PUBLIC_URL: publicUrl }), { ...DEVELOPMENT_DEFAULTS, publicUrl, rpId })
  const PUBLIC_URL = 'https://login.center.example'
  const wide = readConfig({ ...PRODUCTION, PUBLIC_URL, RP_ID: 'center.example' })
  t.equal(wide.rpId, 'center.example')
  const wrong = [
    'other.example',
    'example',
    'center.example.',
    '.center.example',
    'nter.example',
    'CENTER.example',
  ]
  for (const RP_ID of [
    ...wrong,
    'https://login.center.example',
    'login.center.example:443',
    'a.login.center.example',
  ])
    refused(t, { ...PRODUCTION, PUBLIC_URL, RP_ID }, 'RP_ID')
  refused(t, { ...PRODUCTION, RP_ID: 'center.example' }, 'RP_ID', 'without PUBLIC_URL')
  refused(t, { PUBLIC_URL: 'http://127.0.0.1:8080', RP_ID: '0.0.1' }, 'RP_ID')
})

t.test('without PUBLIC_URL or MAIL_FROM, mails are refused at the start', async (t) => {
  const env = { MAIL_URL: 'smtp://mail.example', MAIL_FROM: FROM }
  refused(t, { ...PRODUCTION, ...env }, 'PUBLIC_URL')
  refused(t, { ...PRODUCTION, ...env }, 'MAIL_URL')
  t.ok(readConfig({ ...PRODUCTION, ...env, PUBLIC_URL: 'https://center.example' }).mail)
  refused(t, { MAIL_URL: env.MAIL_URL }, 'MAIL_FROM')
  refused(t, { MAIL_FROM: FROM }, 'MAIL_FROM')
  const addresses = [
    'mail.example',
    'http://mail.example',
    'smtp://',
    'smtp://mail.example/x',
    'smtp://m.example?x=1',
  ]
  const people = [
    'smtp://alice@mail.example',
    'smtp://:secret-word@mail.example',
    'smtp://%ff:secret-word@mail.example',
  ]
  for (const MAIL_URL of [...addresses, ...people]) refused(t, { ...env, MAIL_URL }, 'MAIL_URL')
  const names = [
    'center',
    `a@b.example, ${FROM}`,
    `Center\r\nBcc: x <${FROM}>`,
    `a@b.example <${FROM}>`,
    `<${FROM}`,
  ]
  for (const MAIL_FROM of names) refused(t, { ...env, MAIL_FROM }, 'MAIL_FROM')
})

t.test('one name for both cookies is refused, and both variables are named', async (t) => {
  const env = { COOKIE_NAME: 'sid', SESSION_NAME: 'sid' }
  refused(t, env, 'COOKIE_NAME')
  refused(t, env, 'SESSION_NAME')
  t.match(readConfig({ COOKIE_NAME: 'session', SESSION_NAME: 'identity' }), { cookieName: 'session' })
})

t.test('variables that other parts read, or that later versions will, change nothing here', async (t) => {
  const env = {
    LOG_LEVEL: 'debug',
  }
  t.strictSame(readConfig(env), DEVELOPMENT_DEFAULTS)
  t.strictSame(readConfig({ ...PRODUCTION, ...env }), readConfig(PRODUCTION))
  refused(t, { LOG_LEVEL: 'loud' }, 'LOG_LEVEL')
  t.strictSame(readConfig({ PATH: '/bin', AUTH_SECRET: 'x', auth_secrets: 'x' }), DEVELOPMENT_DEFAULTS)
})
