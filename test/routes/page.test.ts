import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'tap'
import { MODES, refused, signIn } from '../helpers/http.js'
import { startUserCenter } from '../helpers/user-center.js'

const PRODUCTION = {
  NODE_ENV: 'production',
  SINGLE_INSTANCE: 'true',
  AUTH_SECRETS: 'kPz3Vt9_QyX2mWc7HsB4nLd8RfJ1gTa6',
}

test('the page and its files are served, and nothing beside them', async (t) => {
  const { app } = await startUserCenter(t)
  const page = await app.inject('/')
  t.match(page.headers['content-type'], /^text\/html/)
  t.notMatch(page.body, /<style|style="|<script(?! type="module" src=)|\son\w+=/, 'nothing inline')
  const files = [...page.body.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path = '']) => path)
  t.ok(files.length >= 3)
  for (const file of files) t.equal((await app.inject(file)).statusCode, 200, file)
  for (const file of [
    '/page/',
    '/page/main.ts',
    '/page/tsconfig.json',
    '/page/../app.js',
    '/page/%2e%2e/app.js',
  ])
    refused(t, await app.inject(file), 404, 'NOT_FOUND', file)
})

test('a file of the page is sent again only when it is another one', async (t) => {
  const { app } = await startUserCenter(t)
  for (const url of ['/', '/page/main.js', '/page/page.css', '/page/icon.svg']) {
    const { headers, rawPayload } = await app.inject(url)
    t.match(headers, { etag: /^"[\w-]{43}"$/, 'cache-control': 'public, max-age=0' }, url)
    for (const tag of [headers.etag, `W/${headers.etag}`]) {
      const same = await app.inject({ url, headers: { 'if-none-match': tag } })
      t.match(same, { statusCode: 304, body: '', headers: { etag: headers.etag } })
    }
    const other = await app.inject({ url, headers: { 'if-none-match': '"another"' } })
    t.equal(other.statusCode, 200)
    t.same(other.rawPayload, rawPayload)
    const head = await app.inject({ method: 'HEAD', url })
    t.match(head, { statusCode: 200, body: '', headers: { 'content-type': headers['content-type'] } })
  }
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
  refused(t, await app.inject('/inspector'), 403, 'NOT_SIGNED_IN')
  const production = await startUserCenter(t, PRODUCTION)
  refused(t, await production.app.inject('/inspector'), 404, 'NOT_FOUND')
})
