import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import { test } from 'tap'
import { ADMIN, MODES, refusedByCenter, signIn } from '../helpers/http.js'
import { startUserCenter } from '../helpers/user-center.js'

const PRODUCTION = {
  NODE_ENV: 'production',
  SINGLE_INSTANCE: 'true',
  AUTH_SECRETS: 'kPz3Vt9_QyX2mWc7HsB4nLd8RfJ1gTa6',
}

/** The addresses of the page's files, as its HTML names them. */
async function assetsOf(app: FastifyInstance): Promise<string[]> {
  const { body } = await app.inject('/')
  return [...new Set([...body.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path = '']) => path))]
}

test('the page and its files are served, and nothing beside them', async (t) => {
  const { app } = await startUserCenter(t)
  const page = await app.inject('/')
  t.match(page.headers['content-type'], /^text\/html/)
  t.notMatch(page.body, /<style|style="|<script(?! type="module" src=)|\son\w+=/, 'nothing inline')
  const files = await assetsOf(app)
  t.equal(files.length, 2, 'a script and a style sheet')
  for (const file of files) t.equal((await app.inject(file)).statusCode, 200, file)
  for (const file of [
    '/page/',
    '/page/main.js',
    '/page/index.en.html',
    '/page/made-from',
    ...files.map((name) => `${name}.br`),
    '/page/../app.js',
    '/page/%2e%2e/app.js',
  ])
    refusedByCenter(t, await app.inject(file), 404, 'NOT_FOUND', file)
})

const ACCEPTED = [
  ['br, gzip', 'br', '-br'],
  ['gzip', 'gzip', '-gzip'],
  ['gzip;q=0.5, deflate', 'gzip', '-gzip'],
  ['zstd', undefined, ''],
  ['', undefined, ''],
  [undefined, undefined, ''],
] as const

const DECODERS = { br: brotliDecompressSync, gzip: gunzipSync } as const

test('a file is sent again only when it has changed, in each coding', async (t) => {
  const { app } = await startUserCenter(t)
  for (const url of ['/', ...(await assetsOf(app))]) {
    const { rawPayload: content } = await app.inject(url)
    for (const [accepted, coding, ending] of ACCEPTED) {
      const name = `${url} ${accepted}`
      const asked = accepted === undefined ? {} : { 'accept-encoding': accepted }
      const { headers, rawPayload } = await app.inject({ url, headers: asked })
      t.equal(headers['content-encoding'], coding, name)
      t.match(headers.etag, new RegExp(`^"[\\w-]{43}${ending}"$`), name)
      t.match(headers.vary, 'Accept-Encoding', name)
      t.same(coding ? DECODERS[coding](rawPayload) : rawPayload, content, name)
      for (const tag of [headers.etag, `W/${headers.etag}`, `"another", ${headers.etag}`, '*']) {
        const same = await app.inject({ url, headers: { ...asked, 'if-none-match': tag } })
        const { etag, vary, 'cache-control': lifetime } = headers
        t.match(
          same,
          { statusCode: 304, body: '', headers: { etag, vary, 'cache-control': lifetime } },
          tag ?? '',
        )
      }
      for (const tag of ['"another"', `${headers.etag}x`]) {
        const other = await app.inject({ url, headers: { ...asked, 'if-none-match': tag } })
        t.equal(other.statusCode, 200)
        t.same(other.rawPayload, rawPayload)
      }
      const head = await app.inject({ method: 'HEAD', url, headers: asked })
      const { date: _, ...all } = headers
      t.match(head, { statusCode: 200, body: '', headers: all }, 'HEAD has the same headers')
    }
  }
})

test('a client that excludes every coding gets 406, and no cache keeps it', async (t) => {
  const { app } = await startUserCenter(t)
  for (const url of ['/', ...(await assetsOf(app))])
    for (const accepted of ['identity;q=0', '*;q=0', 'zstd, identity;q=0']) {
      const answer = await app.inject({ url, headers: { 'accept-encoding': accepted } })
      t.match(answer, { statusCode: 406, headers: { 'cache-control': 'no-store' } }, `${url} ${accepted}`)
      t.match(answer.headers.vary, 'Accept-Encoding')
      t.match(answer.headers['content-type'], /^text\/plain/)
      t.equal(answer.headers.etag, undefined)
    }
})

test('assets are kept for good, since their names change with their content; the HTML never is', async (t) => {
  const { app } = await startUserCenter(t)
  t.match((await app.inject('/')).headers, { 'cache-control': 'public, max-age=0' })
  for (const url of await assetsOf(app)) {
    const { headers, rawPayload } = await app.inject(url)
    t.match(headers, { 'cache-control': 'public, max-age=31536000, immutable', vary: 'Accept-Encoding' })
    const hash = createHash('sha256').update(rawPayload).digest('hex').slice(0, 16)
    t.match(url, new RegExp(`^/page/[a-z.]+-${hash}\\.(css|js)$`))
  }
})

test('a script of another version makes the page load again, and is not kept', async (t) => {
  const { app } = await startUserCenter(t)
  const other = '0123456789abcdef'
  for (const language of ['en', 'zh']) {
    const { headers, body, statusCode } = await app.inject(`/page/main.${language}-${other}.js`)
    t.equal(statusCode, 200, 'a browser runs no script of another status')
    t.match(headers, { 'cache-control': 'no-store', 'content-type': 'text/javascript; charset=utf-8' })
    t.equal(headers.etag, undefined)
    t.match(body, 'location.reload()')
    for (const name of [language, `${language}-signed-in`]) {
      const later = await app.inject(`/page/${name}-0123ABCD.js`)
      t.match(later, { statusCode: 200, headers: { 'cache-control': 'no-store' } }, `${name}, loaded later`)
      t.equal(later.body, body)
    }
  }
  for (const name of [
    `main.en-${other}0.js`,
    'main.en-0123456789ABCDEF.js',
    `main.en-${other}.css`,
    `main.fr-${other}.js`,
    `page-${other}.css`,
    'zh-0123abcd.js',
    'zh-0123ABCDE.js',
  ])
    refusedByCenter(t, await app.inject(`/page/${name}`), 404, 'NOT_FOUND', name)
})

test('the HTML is in the language of the browser', async (t) => {
  const { app } = await startUserCenter(t)
  const etags = new Set<unknown>()
  for (const [accepted, language, title] of [
    [undefined, 'en', 'Sign in'],
    ['en-GB,en;q=0.9', 'en', 'Sign in'],
    ['fr', 'en', 'Sign in'],
    ['en;q=0.5,zh', 'zh-CN', '登录'],
    ['zh-CN,zh;q=0.9,en;q=0.8', 'zh-CN', '登录'],
  ] as const) {
    const { body, headers } = await app.inject({
      url: '/',
      headers: accepted === undefined ? {} : { 'accept-language': accepted },
    })
    t.match(body, `<html lang="${language}">`, accepted ?? 'none')
    t.match(body, `<h1 id="title" tabindex="-1">${title}</h1>`, 'the form is in it')
    t.equal(headers.vary, 'Accept-Encoding, Accept-Language')
    etags.add(headers.etag)
  }
  t.equal(etags.size, 2)
})

test('what CORS says that an answer depends on stays in Vary', async (t) => {
  const origin = 'https://app.example.com'
  const { app } = await startUserCenter(t, { ALLOWED_ORIGINS: origin })
  for (const url of ['/', ...(await assetsOf(app)), '/docs/json', '/docs/static/swagger-ui.css']) {
    const { headers } = await app.inject({ url, headers: { origin } })
    t.match(headers.vary, /Origin.*Accept-Encoding/, url)
  }
})

test('an answer of the API is never compressed, since an attacker could learn from its length', async (t) => {
  const { app } = await startUserCenter(t)
  const { credential, response } = await signIn(app, 'cookie', ADMIN)
  t.equal(response.headers['content-encoding'], undefined)
  const headers = { ...credential, 'accept-encoding': 'br, gzip, deflate, *' }
  for (const url of [
    '/settings',
    '/user_info',
    '/sign_ins',
    '/accounts',
    '/api_keys',
    '/inspector',
    '/healthz',
    '/metrics',
    '/.well-known/jwks.json',
    '/nowhere',
  ]) {
    const answer = await app.inject({ url, headers })
    t.equal(answer.headers['content-encoding'], undefined, url)
  }
  const login = { url: '/login_session', method: 'POST', payload: ADMIN, headers } as const
  t.match((await app.inject(login)).headers, { 'content-encoding': undefined })
})

test('the policy allows no inline script or style, no frame and no form', async (t) => {
  const { app } = await startUserCenter(t)
  const policy = String((await app.inject('/')).headers['content-security-policy'])
  t.notMatch(policy, /unsafe|\*|https?:/)
  for (const directive of [
    "default-src 'none'",
    "script-src 'self'",
    "frame-ancestors 'none'",
    "form-action 'none'",
    "trusted-types 'none'",
  ])
    t.match(policy, directive)
})

test('no script of the page makes a global, reads one by name, or listens to another site’s window', async (t) => {
  const all = readdirSync('public', { recursive: true, encoding: 'utf8' })
  const files = all.filter((file) => file.endsWith('.ts'))
  t.ok(files.length > 15)
  // Each of them is a module. What an element is called can shadow what is looked up on these objects.
  const unsafe =
    /\b(globalThis|self|top|parent|opener)[.[]|window(\[|\.(?!addEventListener))|document\[|(inner|outer)HTML|insertAdjacent|document\.write|eval\(|new Function/
  for (const file of files) {
    const code = readFileSync(`public/${file}`, 'utf8').replace(/^ *(\/\*|\*|\/\/).*/gm, '')
    t.notMatch(code, unsafe, file)
    // Through a BroadcastChannel, which no other origin can write to, and nowhere else.
    if (file !== 'lib/tabs.ts') t.notMatch(code, /postMessage|'message'/, file)
  }
  t.match(readFileSync('public/lib/tabs.ts', 'utf8'), /channel = new BroadcastChannel\(/)
})

test('no address leads to another site', async (t) => {
  const { app } = await startUserCenter(t)
  for (const url of [
    '//example.com',
    '//example.com/%2e%2e',
    '/page//example.com/..',
    '/%5Cexample.com',
    '/page/%2f%2fexample.com',
    '/?next=//example.com',
    '/logout_cookie?next=https://example.com',
    '/docs/static/index.html?//example.com',
  ]) {
    const { location } = (await app.inject(url)).headers
    t.match(location ?? '/', /^\/(?![/\\])/, url)
  }
})

test('/settings says what can be done here, and whether a cookie came', async (t) => {
  const { app } = await startUserCenter(t)
  const ask = async (cookie?: string) =>
    (await app.inject({ url: '/settings', headers: cookie ? { cookie } : {} })).json().data
  const cookie_names = { cookie: 'identity', session: 'session' }
  t.match(await ask(), { inspector: true, docs: true, cookie_names, cookie_sent: false, refresh_sent: false })
  t.equal((await ask('session=anything')).cookie_sent, true)
  t.equal((await ask('other=anything')).cookie_sent, false)
  const production = await startUserCenter(t, PRODUCTION)
  t.match((await production.app.inject('/settings')).json().data, { inspector: false, docs: false })
})

test('the inspector shows the named fields of the own credential, and no credential', async (t) => {
  const { app } = await startUserCenter(t)
  for (const mode of MODES) {
    const { credential, refreshToken } = await signIn(app, mode)
    const { headers, body, ...response } = await app.inject({ url: '/inspector', headers: credential })
    t.equal(headers['cache-control'], 'no-store')
    const { auth_type, data } = response.json()
    t.equal(auth_type, mode)
    t.match(data.sign_in, { ip: '127.0.0.1', refreshed: mode === 'token' ? 0 : null })
    t.equal(data.cookie?.name, { token: undefined, session: 'session', cookie: 'identity' }[mode])
    if (mode !== 'token')
      t.match(data.cookie, { http_only: true, same_site: 'lax', path: '/', secure: false })
    t.equal(data.session?.username, mode === 'session' ? 'user1' : undefined)
    t.equal(data.cookie_fields?.username, mode === 'cookie' ? 'user1' : undefined)
    // Neither the credential nor a part of it that is worth anything.
    const value = Object.values(credential)
      .join()
      .replace(/^(Bearer |\w+=)/, '')
    for (const secret of [...value.split('.').filter((part) => part.length > 20), refreshToken])
      if (secret) t.notMatch(body, secret)
    t.notMatch(body, /sealed|sessionKey|session_key|keyId|key_id|accountId/)
  }
})

test('a remembered sign-in’s cookie has the age that it was set with', async (t) => {
  const { app } = await startUserCenter(t)
  for (const mode of ['session', 'cookie'] as const) {
    const credentials = { username: 'user1', password: 'user123', remember: true }
    const { response, credential } = await signIn(app, mode, credentials)
    const { data } = (await app.inject({ url: '/inspector', headers: credential })).json()
    t.equal(data.cookie.max_age, response.cookies[0]?.maxAge)
  }
})

test('the inspector is for who is signed in, and not there in production', async (t) => {
  const { app } = await startUserCenter(t)
  refusedByCenter(t, await app.inject('/inspector'), 403, 'NOT_SIGNED_IN')
  const production = await startUserCenter(t, PRODUCTION)
  refusedByCenter(t, await production.app.inject('/inspector'), 404, 'NOT_FOUND')
})
