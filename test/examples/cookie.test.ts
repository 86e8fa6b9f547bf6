import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import cookieExample from '../../examples/cookie.js'
import { Browser, startExample } from '../helpers/browser-like.js'
import { makeDataDir, testClock } from '../helpers/user-center.js'

const RECOGNISED = {
  code: 200,
  msg: 'I recognise you: you are user 123456.',
  data: { user_id: '123456' },
}
const NOBODY = {
  code: 200,
  msg: 'I do not recognise you. Go to /set_cookie first.',
  data: { user_id: null },
}
const SECRETS = ['the-first-secret-of-this-test-0123456789', 'the-second-secret-of-this-test-012345678']

async function start(t: Test, env: Record<string, string> = {}, clock = testClock()) {
  const dataDir = env.DATA_DIR ?? makeDataDir(t)
  const { app, origin } = await startExample(t, cookieExample, { env: { ...env, DATA_DIR: dataDir }, clock })
  return { app, origin, browser: new Browser(origin), clock, dataDir }
}

async function whoAmI(t: Test, browser: Browser, cookie?: string): Promise<unknown> {
  const answer = await browser.get('/get_cookie', cookie === undefined ? {} : { cookie })
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('cache-control'), 'no-store', 'who is asking is kept by no cache')
  t.strictSame(answer.setCookies, [])
  return JSON.parse(answer.text)
}

/** The sealed value that /set_cookie gives out. */
async function sealedValue(browser: Browser): Promise<string> {
  await browser.get('/set_cookie')
  return browser.cookies.get('user_id') ?? ''
}

t.test('/set_cookie sets an HttpOnly cookie for one hour, and /get_cookie recognises it', async (t) => {
  const { browser } = await start(t)
  const answer = await browser.get('/set_cookie')
  t.equal(answer.status, 200)
  t.strictSame(JSON.parse(answer.text), {
    code: 200,
    msg: 'The cookie is set.',
    data: { user_id: '123456', expires_in: 3600 },
  })
  t.equal(answer.setCookies.length, 1)
  const [pair = '', ...attributes] = answer.setCookies[0]?.split('; ') ?? []
  t.match(pair, /^user_id=v1\./)
  t.strictSame(attributes.sort(), ['HttpOnly', 'Max-Age=3600', 'Path=/', 'SameSite=Lax'])
  t.strictSame(await whoAmI(t, browser), RECOGNISED)
})

t.test('a visitor without the cookie is nobody, and is told where to go', async (t) => {
  const { browser } = await start(t)
  t.strictSame(await whoAmI(t, browser), NOBODY)
})

t.test('a hand-written or altered cookie is not recognised', async (t) => {
  const { browser } = await start(t)
  const value = await sealedValue(browser)
  const [version, keyId, payload = '', mac] = value.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const forged = Buffer.from(JSON.stringify({ ...claims, sub: '654321' })).toString('base64url')
  const forgeries = {
    'hand-written': 'user_id=123456',
    quoted: 'user_id="123456"',
    empty: 'user_id=',
    'under another name': `identity=${value}`,
    'with another user inside': `user_id=${version}.${keyId}.${forged}.${mac}`,
    'with another MAC': `user_id=${version}.${keyId}.${payload}.${mac?.split('').reverse().join('')}`,
    'without a MAC': `user_id=${version}.${keyId}.${payload}`,
    'under another key': `user_id=${version}.AAAAAAAA.${payload}.${mac}`,
    truncated: `user_id=${value.slice(0, -1)}`,
    '%-encoded': `user_id=${value.replaceAll('.', '%2E')}`,
    'sent twice': `user_id=${value}; user_id=${value}`,
    'beside a hand-written one': `user_id=123456; user_id=${value}`,
  }
  for (const [name, cookie] of Object.entries(forgeries))
    t.strictSame(await whoAmI(t, browser, cookie), NOBODY, name)
  t.strictSame(await whoAmI(t, browser), RECOGNISED, 'the good one is still good')
})

t.test('the cookie is good for one hour, however long a browser keeps it', async (t) => {
  const { browser, clock } = await start(t)
  await browser.get('/set_cookie')
  clock.advance(3599)
  t.strictSame(await whoAmI(t, browser), RECOGNISED)
  clock.advance(1)
  t.strictSame(await whoAmI(t, browser), NOBODY)
})

t.test('setting the cookie again starts another hour, and ends the first cookie', async (t) => {
  const { browser, clock } = await start(t)
  const first = await sealedValue(browser)
  clock.advance(3000)
  await browser.get('/set_cookie')
  t.strictSame(await whoAmI(t, browser, `user_id=${first}`), NOBODY)
  clock.advance(3000)
  t.strictSame(await whoAmI(t, browser), RECOGNISED)
})

t.test('a restart signs nobody out', async (t) => {
  const { app, browser, clock, dataDir } = await start(t)
  const value = await sealedValue(browser)
  await app.close()
  const again = await start(t, { DATA_DIR: dataDir }, clock)
  t.strictSame(await whoAmI(t, again.browser, `user_id=${value}`), RECOGNISED)
})

t.test('a cookie of another installation is not recognised', async (t) => {
  const [one, other] = [await start(t), await start(t)]
  const value = await sealedValue(one.browser)
  t.strictSame(await whoAmI(t, other.browser, `user_id=${value}`), NOBODY)
})

t.test('AUTH_SECRETS is used instead of a generated secret, and may be rotated', async (t) => {
  const [first = '', second = ''] = SECRETS
  const { app, browser, clock, dataDir } = await start(t, { AUTH_SECRETS: first })
  t.notOk(existsSync(join(dataDir, 'secret')), 'none is generated')
  const value = await sealedValue(browser)
  await app.close()
  const rotated = await start(t, { AUTH_SECRETS: `${second},${first}`, DATA_DIR: dataDir }, clock)
  t.strictSame(await whoAmI(t, rotated.browser, `user_id=${value}`), RECOGNISED)
  await rotated.app.close()
  const removed = await start(t, { AUTH_SECRETS: second, DATA_DIR: dataDir }, clock)
  t.strictSame(await whoAmI(t, removed.browser, `user_id=${value}`), NOBODY)
})

t.test('a secret that is too short, or empty, does not start', async (t) => {
  for (const AUTH_SECRETS of ['short', '']) {
    await t.rejects(start(t, { AUTH_SECRETS }), { code: 'OPTION_INVALID' })
  }
})

t.test('in production the cookie is Secure, and of this host alone', async (t) => {
  const { browser } = await start(t, { NODE_ENV: 'production' })
  const [cookie = ''] = (await browser.get('/set_cookie')).setCookies
  t.match(cookie, /^__Host-user_id=v1\./)
  t.match(cookie, /; Secure(;|$)/)
})

t.test("another site's link sets no cookie", async (t) => {
  const { browser } = await start(t)
  const answer = await browser.get('/set_cookie', { 'sec-fetch-site': 'cross-site' })
  t.equal(answer.status, 403)
  t.match(JSON.parse(answer.text), { code: 'CROSS_SITE' })
  t.strictSame(answer.setCookies, [])
  t.strictSame(await whoAmI(t, browser), NOBODY)
})
