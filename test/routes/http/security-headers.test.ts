import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import { SECURITY_HEADERS } from '../../../routes/http/security-headers.js'
import { listen, MODES, post, sendRaw, signIn, userInfo } from '../../helpers/http.js'
import { startUserCenter } from '../../helpers/user-center.js'

const PRODUCTION = {
  NODE_ENV: 'production',
  SINGLE_INSTANCE: 'true',
  AUTH_SECRETS: 'kPz3Vt9_QyX2mWc7HsB4nLd8RfJ1gTa6',
  REGISTRATION: 'open',
  DOCS: 'true',
}
const ZOE = { username: 'zoe', password: 'a long enough one' }

/** The user center as production has it, with all that may be turned on there, and somebody in it. */
async function startProduction(t: Test, env: Record<string, string> = {}): Promise<FastifyInstance> {
  const { app } = await startUserCenter(t, { ...PRODUCTION, ...env })
  await app.accounts.create({ ...ZOE, role: 'admin' })
  return app
}

const WANTED = {
  'strict-transport-security': /^max-age=31536000; includeSubDomains$/,
  'x-content-type-options': /^nosniff$/,
  'referrer-policy': /^no-referrer$/,
  'cross-origin-opener-policy': /^same-origin$/,
  'cross-origin-resource-policy': /^same-origin$/,
  'x-frame-options': /^DENY$/,
} as const

type Headers = Readonly<Record<string, unknown>>

/** The directives of a policy, by name. */
function directivesOf(policy: string): ReadonlyMap<string, string> {
  const directives = policy.split(';').map((directive) => directive.trim().split(' '))
  return new Map(
    directives.filter(([name]) => name).map(([name = '', ...values]) => [name, values.join(' ')]),
  )
}

function checkHeaders(t: Test, headers: Headers, name: string): void {
  for (const [header, wanted] of Object.entries(WANTED))
    t.match(headers[header], wanted, `${name}: ${header}`)
  const policy = String(headers['content-security-policy'])
  const directives = directivesOf(policy)
  for (const directive of ['default-src', 'base-uri', 'frame-ancestors'])
    t.equal(directives.get(directive), "'none'", `${name}: ${directive}`)
  t.match(directives.get('object-src') ?? "'none'", /^'none'$/, `${name}: object-src`)
  t.notMatch(
    policy,
    /unsafe|\*|https?:|validator|upgrade/,
    `${name}: nothing from elsewhere, and nothing inline`,
  )
  for (const telltale of ['server', 'x-powered-by'])
    t.equal(headers[telltale], undefined, `${name}: ${telltale}`)
}

const html = readFileSync(new URL('../../../public/index.en.html', import.meta.url), 'utf8')
const ASSETS = [...html.matchAll(/(?:src|href)="(\/page\/[^"]+)"/g)].map(([, path = '']) => path)
const SCRIPT = ASSETS.find((path) => path.endsWith('.js')) ?? ''

const PATHS = [
  '/',
  ...ASSETS,
  '/page/nothing',
  '/docs',
  '/docs/',
  '/docs/json',
  '/docs/yaml',
  '/docs/static/index.html',
  '/docs/nothing',
  '/docs/static/swagger-ui-bundle.js',
  '/docs/static/oauth2-redirect.html',
  '/docs/static/nothing',
  '/settings',
  '/user_info',
  '/sign_ins',
  '/accounts',
  '/inspector',
  '/logout_cookie',
  '/logout_token',
  '/healthz',
  '/readyz',
  '/.well-known/jwks.json',
  '/metrics',
  '/nowhere',
  '/%zz',
  `/sign_ins/${'x'.repeat(300)}`,
]

test('every answer carries the security headers, whatever it is', async (t) => {
  const app = await startProduction(t)
  for (const url of PATHS)
    for (const method of ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS'] as const) {
      const { headers, statusCode } = await app.inject({ method, url })
      checkHeaders(t, headers, `${method} ${url.slice(0, 40)} ${statusCode}`)
    }
  const type = 'application/json'
  for (const [name, body, headers] of [
    ['granted', JSON.stringify(ZOE), { 'content-type': type }],
    ['wrong', JSON.stringify({ ...ZOE, password: 'x' }), { 'content-type': type }],
    ['no JSON', '{', { 'content-type': type }],
    ['too large', 'x'.repeat(20_000), { 'content-type': type }],
    ['another type', 'x', { 'content-type': 'text/plain' }],
    ['another site', JSON.stringify(ZOE), { 'content-type': type, 'sec-fetch-site': 'cross-site' }],
  ] as const) {
    const answer = await app.inject({ method: 'POST', url: '/login_session', payload: body, headers })
    checkHeaders(t, answer.headers, `login ${name} ${answer.statusCode}`)
  }
})

const OF_ANY_ANSWER = ['content-type', 'content-length', 'date', 'connection']

test('each answer carries all that helmet makes, whatever was answered before it', async (t) => {
  const app = await startProduction(t)
  const names = Object.keys(SECURITY_HEADERS)
  t.equal(names.length, 13)
  // Those of the documentation say another policy.
  for (const url of ['/docs', '/', '/docs/static/index.html', '/user_info', '/healthz', '/nowhere', SCRIPT])
    for (const method of ['GET', 'POST'] as const) {
      const { headers } = await app.inject({ method, url })
      for (const name of names.filter((name) => name !== 'cache-control'))
        if (!url.startsWith('/docs') || name !== 'content-security-policy')
          t.equal(headers[name], SECURITY_HEADERS[name], `${method} ${url}: ${name}`)
    }
  t.match(SECURITY_HEADERS['content-security-policy'], /^default-src 'none';.*;trusted-types 'none'$/)
  t.notOk(OF_ANY_ANSWER.some((name) => names.includes(name)))
})

test('no cache keeps an answer that does not say that it may', async (t) => {
  const app = await startProduction(t)
  const kept = /^\/(page\/.*\..*)?$|^\/docs\/static\/(oauth2|swagger-ui)|jwks/
  for (const url of PATHS)
    for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS'] as const) {
      const { headers } = await app.inject({ method, url })
      const wanted = method === 'GET' && kept.test(url) ? /^public, max-age=\d+(, immutable)?$/ : /^no-store$/
      t.match(headers['cache-control'], wanted, `${method} ${url.slice(0, 40)}`)
    }
})

test('so does what is answered over a socket before any route is found', async (t) => {
  const app = await startProduction(t)
  const port = await listen(app)
  for (const [name, request, status] of [
    ['no HTTP', 'HELLO\r\n\r\n', 400],
    ['too many headers', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['no path', 'GET /%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 400],
    ['a route', 'GET /user_info HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 403],
  ] as const) {
    const [head = ''] = (await sendRaw(port, request)).split('\r\n\r\n')
    const [line, ...lines] = head.split('\r\n')
    t.match(line, `HTTP/1.1 ${status} `, name)
    const pairs = lines.map((text) => [text.replace(/:.*/s, '').toLowerCase(), text.replace(/^[^:]*: ?/, '')])
    const headers: Headers = Object.fromEntries(pairs)
    checkHeaders(t, headers, name)
    t.equal(headers['cache-control'], 'no-store', `${name}: cache-control`)
  }
})

test('every cookie is Secure, HttpOnly, SameSite and of this host alone, and stands in Set-Cookie alone', async (t) => {
  const app = await startProduction(t)
  const seen = new Set<string>()
  for (const mode of MODES) {
    const { response } = await signIn(app, mode, mode === 'token' ? ZOE : { ...ZOE, remember: true })
    const own = response.cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
    const answers = [response, await userInfo(app, { cookie: own })]
    answers.push(await post(app, `/logout_${mode}`, {}, { cookie: own }))
    for (const { headers, body, cookies } of answers) {
      for (const line of [headers['set-cookie'] ?? []].flat()) {
        const [pair = '', ...attributes] = line.split('; ')
        const names = attributes.map((attribute) => attribute.replace(/^(Max-Age|Expires)=.*/, '$1'))
        t.match(pair, /^__Host-(identity|session|device)=/)
        for (const wanted of ['HttpOnly', 'Secure', 'SameSite=Lax', 'Path=/'])
          t.ok(names.includes(wanted), line)
        t.notOk(
          names.some((name) => /^Domain/i.test(name)),
          line,
        )
        t.ok(Buffer.byteLength(pair) <= 4096, 'a browser keeps it')
        seen.add(pair.replace(/=.*/, ''))
      }
      for (const { value } of cookies) if (value !== '') t.notMatch(body, value, 'it is in no body')
    }
  }
  t.same([...seen].sort(), ['__Host-device', '__Host-identity', '__Host-session'])
})

test('nothing that a script of another site could load holds what is somebody’s', async (t) => {
  const app = await startProduction(t)
  const { credential } = await signIn(app, 'cookie', ZOE)
  for (const url of PATHS.filter((path) => /\.js$|^\/(docs|page)?\/?$/.test(path))) {
    const [nobody, somebody] = [await app.inject(url), await app.inject({ url, headers: credential })]
    t.equal(nobody.statusCode, 200, url)
    t.equal(somebody.body, nobody.body, `${url} is the same for everybody`)
  }
  for (const url of ['/user_info', '/sign_ins', '/settings']) {
    const answer = await app.inject({ url: `${url}?callback=alert&jsonp=alert`, headers: credential })
    t.match(answer.headers['content-type'], /^application\/json/, `${url}: no JSONP`)
    t.notMatch(answer.body, 'alert', url)
  }
})

test('nobody is sent to another host', async (t) => {
  const app = await startProduction(t)
  const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example' }
  for (const path of PATHS)
    for (const url of [path, `${path}?next=https://evil.example`, `//evil.example${path}`]) {
      const { headers: answered } = await app.inject({ url, headers })
      t.match(answered.location ?? '/', /^\/(?!\/)/, url)
    }
})

test('an origin that is not allowed gets no CORS header, whatever it calls itself', async (t) => {
  const friend = 'https://app.example.com'
  for (const [name, app] of [
    ['none allowed', await startProduction(t)],
    ['one allowed', await startProduction(t, { ALLOWED_ORIGINS: friend })],
  ] as const)
    for (const origin of [
      'https://evil.example',
      'null',
      `${friend}.evil.example`,
      'http://app.example.com',
      '*',
    ])
      for (const method of ['GET', 'OPTIONS'] as const) {
        const headers = { origin, 'access-control-request-method': 'DELETE' }
        const answer = await app.inject({ method, url: '/user_info', headers })
        t.notMatch(
          answer.headers['access-control-allow-origin'],
          /evil|null|\*|http:/,
          `${name}: ${method} ${origin}`,
        )
      }
})

test('two Host lines are no request, whatever route they ask for', async (t) => {
  const { app } = await startUserCenter(t)
  const port = await listen(app)
  const lines = (path: string, method: string, ...headers: string[]) =>
    sendRaw(port, [`${method} ${path} HTTP/1.1`, ...headers, 'Connection: close', '', ''].join('\r\n'))
  for (const path of ['/user_info', '/healthz', '/', '/nowhere', '/logout_cookie']) {
    for (const hosts of [
      ['Host: localhost', 'Host: localhost'],
      ['Host: localhost', 'hOST: evil.example'],
      ['Host: evil.example', 'Origin: http://localhost', 'Host: localhost'],
    ]) {
      const answer = await lines(path, 'GET', ...hosts)
      t.match(answer, /^HTTP\/1\.1 400 /, `${path}: ${hosts}`)
      t.match(answer, /"error":"HOST_AMBIGUOUS"/)
    }
  }
  t.match(await lines('/healthz', 'GET', 'Host: localhost'), /^HTTP\/1\.1 200 /)
})

test('an asterisk is the address of nothing', async (t) => {
  const { app } = await startUserCenter(t)
  const port = await listen(app)
  for (const method of ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PUT']) {
    const answer = await sendRaw(port, `${method} * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    t.match(answer, /^HTTP\/1\.1 404 /, `${method}: ${answer.slice(0, 60)}`)
  }
})
