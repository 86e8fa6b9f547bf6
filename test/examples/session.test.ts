import { signedIn } from 'fastify-identity/testing'
import t, { type Test } from 'tap'
import sessionExample from '../../examples/session.js'
import { type Answer, Browser, startExample } from '../helpers/browser-like.js'
import { makeDataDir, testClock } from '../helpers/user-center.js'

const USER = { username: 'user1', password: 'user123' }
const ADMIN = { username: 'admin', password: 'admin123' }

async function start(t: Test, env: Record<string, string> = {}, clock = testClock()) {
  const dataDir = env.DATA_DIR ?? makeDataDir(t)
  const { app, origin } = await startExample(t, sessionExample, { env: { ...env, DATA_DIR: dataDir }, clock })
  return { app, browser: new Browser(origin), another: new Browser(origin), clock, dataDir }
}

interface Home {
  readonly heading: string | undefined
  readonly cart: string[]
  readonly offersLogin: boolean
}

/** What a person sees on the home page, as HTML text. */
async function home(t: Test, browser: Browser): Promise<Home> {
  const { status, text } = await browser.get('/')
  t.equal(status, 200)
  return {
    heading: /<h1>(.*)<\/h1>/.exec(text)?.[1],
    cart: [...text.matchAll(/<li>(.*)<\/li>/g)].map(([, item = '']) => item),
    offersLogin: text.includes('<a href="/login">'),
  }
}

const VISITOR: Home = { heading: 'Hello', cart: [], offersLogin: true }

function isSentHome(t: Test, { status, headers }: Answer): void {
  t.strictSame([status, headers.get('location')], [303, '/'])
}

async function logIn(t: Test, browser: Browser, who = USER): Promise<Answer> {
  const answer = await browser.post('/login', who)
  isSentHome(t, answer)
  return answer
}

async function put(t: Test, browser: Browser, item: string): Promise<Answer> {
  const answer = await browser.post('/cart', { item })
  isSentHome(t, answer)
  return answer
}

t.test('somebody whom the test has signed in is greeted by name', async (t) => {
  const { app } = await start(t)
  const headers = await signedIn(app, { id: 'a user of this test', username: 'user1', role: 'user' })
  const { statusCode, payload } = await app.inject({ url: '/', headers })
  t.equal(statusCode, 200)
  t.match(payload, /<h1>[^<]*user1[^<]*<\/h1>/)
})

t.test('a visitor is greeted, offered to log in, and costs nothing', async (t) => {
  const { browser } = await start(t)
  const { headers, setCookies, text } = await browser.get('/')
  t.equal(headers.get('content-type'), 'text/html; charset=utf-8')
  t.equal(headers.get('cache-control'), 'no-store', 'what depends on who is asking is kept by no cache')
  t.strictSame(setCookies, [])
  t.match(text, 'There is nothing in it.')
  t.strictSame(await home(t, browser), VISITOR)
})

t.test('every page has a language, a title, a viewport, labels, and lets no script run', async (t) => {
  const { browser } = await start(t)
  for (const path of ['/', '/login']) {
    const { status, headers, text } = await browser.get(path)
    t.equal(status, 200)
    t.match(headers.get('content-security-policy'), "default-src 'none'")
    t.match(text, /^<!doctype html>\n<html lang="en">/)
    t.match(text, /<title>\S.*<\/title>/)
    t.match(text, '<meta name="viewport"')
    for (const [, id] of text.matchAll(/<input id="(\w+)"/g)) t.match(text, `<label for="${id}">`)
  }
})

t.test('somebody who logs in is sent home and greeted by name', async (t) => {
  const { browser } = await start(t)
  const { setCookies } = await logIn(t, browser)
  t.equal(setCookies.length, 1)
  const [pair = '', ...attributes] = setCookies[0]?.split('; ') ?? []
  t.match(pair, /^session=v1\./)
  t.strictSame(attributes.sort(), ['HttpOnly', 'Path=/', 'SameSite=Lax'], 'it ends with the browser')
  t.strictSame(await home(t, browser), { heading: 'Hello, user1', cart: [], offersLogin: false })
})

t.test('a wrong password and an unknown user get the form again, and nothing tells them apart', async (t) => {
  const { browser } = await start(t)
  const wrong = await browser.post('/login', { ...USER, password: 'wrong' })
  const unknown = await browser.post('/login', { username: 'nobody', password: 'wrong' })
  t.equal(wrong.status, 401)
  t.match(wrong.text, 'Wrong username or password.')
  t.match(wrong.text, '<form method="post" action="/login">')
  t.strictSame([unknown.status, unknown.text], [401, wrong.text])
  t.strictSame([...wrong.setCookies, ...unknown.setCookies], [])
  t.strictSame(await home(t, browser), VISITOR)
})

t.test('a login that is no name and password is 400', async (t) => {
  const { browser } = await start(t)
  const forms: [string, string][][] = [
    [],
    [['username', 'user1']],
    [
      ['username', 'user1'],
      ['password', ''],
    ],
    [
      ['username', 'user1'],
      ['username', 'user1'],
      ['password', 'user123'],
    ],
    [
      ['username', 'user1'],
      ['password', 'x'.repeat(1025)],
    ],
  ]
  for (const form of forms) {
    const { status, setCookies } = await browser.post('/login', form)
    t.strictSame([status, setCookies], [400, []])
  }
  t.strictSame(await home(t, browser), VISITOR)
})

t.test('a cart that a visitor fills is there again, also after logging in', async (t) => {
  const { browser } = await start(t)
  const first = await put(t, browser, 'apples')
  t.match(first.setCookies[0], /^session=v1\..*; HttpOnly/)
  await put(t, browser, 'pears')
  t.strictSame(await home(t, browser), { ...VISITOR, cart: ['apples', 'pears'] })
  await logIn(t, browser)
  t.strictSame((await home(t, browser)).cart, ['apples', 'pears'])
  await put(t, browser, 'plums')
  t.strictSame(await home(t, browser), {
    heading: 'Hello, user1',
    cart: ['apples', 'pears', 'plums'],
    offersLogin: false,
  })
})

t.test('a cart is seen by nobody else', async (t) => {
  const { browser, another } = await start(t)
  await put(t, browser, 'apples')
  t.strictSame(await home(t, another), VISITOR)
})

t.test('a cart never goes into another account', async (t) => {
  const { browser, another } = await start(t)
  await logIn(t, browser)
  await put(t, browser, 'apples')
  another.cookies.set('session', browser.cookies.get('session') ?? '')
  await logIn(t, browser, ADMIN)
  t.strictSame(await home(t, browser), { heading: 'Hello, admin', cart: [], offersLogin: false })
  t.strictSame(await home(t, another), VISITOR, 'and the first sign-in was replaced')
})

t.test('session fixation: a planted session id is worth nothing after the login', async (t) => {
  const { browser, another: attacker } = await start(t)
  await put(t, attacker, 'bait')
  const planted = attacker.cookies.get('session') ?? ''
  browser.cookies.set('session', planted)
  await logIn(t, browser)
  t.not(browser.cookies.get('session'), planted)
  t.strictSame(await home(t, attacker), VISITOR, 'the one who planted it is nobody, with nothing')
})

t.test('a hand-written session id is not taken up', async (t) => {
  const { browser } = await start(t)
  browser.cookies.set('session', 'chosen')
  t.strictSame(await home(t, browser), VISITOR)
  await put(t, browser, 'apples')
  t.match(browser.cookies.get('session'), /^v1\./)
})

t.test('logging out ends the session on the server, for every copy of its cookie', async (t) => {
  const { browser, another } = await start(t)
  await logIn(t, browser)
  await put(t, browser, 'apples')
  another.cookies.set('session', browser.cookies.get('session') ?? '')
  isSentHome(t, await browser.get('/logout', { 'sec-fetch-site': 'same-origin' }))
  t.notOk(browser.cookies.has('session'), 'the browser forgets it')
  t.strictSame(await home(t, browser), VISITOR)
  t.strictSame(await home(t, another), VISITOR)
  isSentHome(t, await browser.get('/logout', { 'sec-fetch-site': 'same-origin' }))
})

t.test('nothing but a link of our own logs anybody out', async (t) => {
  const { browser } = await start(t)
  await logIn(t, browser)
  const foreign = await browser.get('/logout', { 'sec-fetch-site': 'cross-site' })
  t.strictSame([foreign.status, JSON.parse(foreign.text).code], [403, 'CROSS_SITE'])
  const prefetch = await browser.get('/logout', {
    'sec-purpose': 'prefetch',
    'sec-fetch-site': 'same-origin',
  })
  t.strictSame([prefetch.status, JSON.parse(prefetch.text).code], [403, 'PREFETCH'])
  t.equal((await browser.send('HEAD', '/logout')).status, 404)
  t.equal((await home(t, browser)).heading, 'Hello, user1')
})

t.test("another site's form neither logs anybody in nor fills a cart", async (t) => {
  const { browser } = await start(t)
  const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
  for (const [path, form] of [
    ['/login', USER],
    ['/cart', { item: 'apples' }],
  ] as const) {
    const { status, setCookies, text } = await browser.send('POST', path, { form, headers })
    t.strictSame([status, JSON.parse(text).code, setCookies], [403, 'CROSS_SITE', []])
  }
  await logIn(t, browser)
  t.equal((await browser.send('POST', '/cart', { form: { item: 'apples' }, headers })).status, 403)
  t.strictSame((await home(t, browser)).cart, [])
})

t.test('markup in an item is shown, and is no markup', async (t) => {
  const { browser } = await start(t)
  await put(t, browser, `<script>alert("1")</script>`)
  await put(t, browser, `'"><img src=x onerror=alert(1)> &lt;`)
  t.strictSame((await home(t, browser)).cart, [
    '&#60;script&#62;alert(&#34;1&#34;)&#60;/script&#62;',
    '&#39;&#34;&#62;&#60;img src=x onerror=alert(1)&#62; &#38;lt;',
  ])
})

t.test('markup in a name is shown, and is no markup', async (t) => {
  const { app, browser } = await start(t)
  const somebody = { username: '<script>alert(1)</script>', password: 'a long enough one' }
  await app.accounts.create({ ...somebody, role: 'user' })
  await logIn(t, browser, somebody)
  const { text } = await browser.get('/')
  t.notMatch(text, '<script')
  t.match(text, '<title>Hello, &#60;script&#62;alert(1)&#60;/script&#62;</title>')
  t.match(text, '<h1>Hello, &#60;script&#62;alert(1)&#60;/script&#62;</h1>')
})

t.test('an item has its bounds, and a cart too', async (t) => {
  const { browser } = await start(t)
  await put(t, browser, 'x'.repeat(64))
  for (const item of ['x'.repeat(65), '', '   ']) {
    t.equal((await browser.post('/cart', { item })).status, 400)
  }
  const twice: [string, string][] = [
    ['item', 'one'],
    ['item', 'two'],
  ]
  t.equal((await browser.post('/cart', twice)).status, 400)
  for (let count = 1; count < 20; count++) await put(t, browser, `item ${count}`)
  const full = await browser.post('/cart', { item: 'one too many' })
  t.equal(full.status, 409)
  t.match(full.text, 'The cart is full.')
  const { cart } = await home(t, browser)
  t.strictSame([cart.length, cart[0], cart.at(-1)], [20, 'x'.repeat(64), 'item 19'])
})

t.test('a session that is not used for two hours is over', async (t) => {
  const { browser, clock } = await start(t)
  await put(t, browser, 'apples')
  await logIn(t, browser)
  clock.advance(7199)
  t.equal((await home(t, browser)).heading, 'Hello, user1')
  clock.advance(7200)
  t.strictSame(await home(t, browser), VISITOR)
})

t.test('a restart signs nobody out, and keeps every cart', async (t) => {
  const { app, browser, another, clock, dataDir } = await start(t)
  await logIn(t, browser)
  await put(t, browser, 'apples')
  await put(t, another, 'pears')
  await app.close()
  const again = await start(t, { DATA_DIR: dataDir }, clock)
  again.browser.cookies.set('session', browser.cookies.get('session') ?? '')
  again.another.cookies.set('session', another.cookies.get('session') ?? '')
  t.strictSame(await home(t, again.browser), {
    heading: 'Hello, user1',
    cart: ['apples'],
    offersLogin: false,
  })
  t.strictSame(await home(t, again.another), { ...VISITOR, cart: ['pears'] })
})

t.test('in production the cookie is Secure, and there are no accounts that everybody knows', async (t) => {
  const { app, browser } = await start(t, { NODE_ENV: 'production' })
  t.equal((await browser.post('/login', USER)).status, 401)
  await app.accounts.create({ username: 'zoe', password: 'a long enough one', role: 'user' })
  const { setCookies } = await logIn(t, browser, { username: 'zoe', password: 'a long enough one' })
  t.match(setCookies[0], /^__Host-session=v1\..*; Secure/)
})
