import type { BrowserContext, Page } from 'playwright-core'
import { type Test, test } from 'tap'
import { bundleClient } from '../helpers/bundled-client.js'
import { startChromium, untilTrue } from '../helpers/chromium.js'
import { listen, USER } from '../helpers/http.js'
import { startTlsProxy } from '../helpers/tls-proxy.js'
import { startUserCenter, testClock } from '../helpers/user-center.js'

/** One page of the test's own, so that nothing but the client asks. */
const PAGE = '/bound-test'

/** The user center behind TLS, and profiles of a browser that do not know each other. */
async function start(t: Test, storage: 'cookie' | 'session') {
  const proxy = await startTlsProxy(t, 0)
  const env = { PUBLIC_URL: proxy.origin, COOKIE_SECURE: 'true', LOGIN_LIMIT_ADDRESS: '100000' }
  const center = await startUserCenter(t, env, testClock())
  proxy.lead(await listen(center.app))
  const script = `${await bundleClient()}
window.out = []
window.client = identity.createClient({ storage: '${storage}', bound: true, onSignedOut: (error) => out.push(error) })
window.ask = () => client.fetch('/user_info').then((response) => response.status, String)`
  const browser = await startChromium(t)
  const events: string[] = []
  center.app.audit.subscribe(({ type }) => void events.push(type))
  async function profile(): Promise<{ context: BrowserContext; open(): Promise<Page> }> {
    const context = await browser.newContext({ ignoreHTTPSErrors: true })
    t.teardown(() => context.close())
    const html = `<!doctype html><title>Client</title><script>${script}</script>`
    await context.route(`${proxy.origin}${PAGE}`, (route) =>
      route.fulfill({ contentType: 'text/html', body: html }),
    )
    const open = async () => {
      const page = await context.newPage()
      await page.goto(`${proxy.origin}${PAGE}`)
      return page
    }
    return { context, open }
  }
  return { ...center, proxy, events, profile }
}

const signIn = (page: Page) =>
  page.evaluate(
    `client.signIn(${JSON.stringify(USER)}).then(({ ok, answer }) => [ok, answer.data?.token_type])`,
  )

const KEY = `new Promise((resolve) => {
  const asked = indexedDB.open('fastify-identity')
  asked.onsuccess = () => {
    const all = asked.result.transaction('keys').objectStore('keys').getAll()
    all.onsuccess = () => resolve(all.result)
  }
})`

test('a bound sign-in lasts over nonces, refreshes, reloads and tabs, under one key that no script can read', async (t) => {
  const { clock, events, profile } = await start(t, 'cookie')
  const { open } = await profile()
  const [page, other] = [await open(), await open()]
  t.same(await signIn(page), [true, 'DPoP'])
  t.equal(await page.evaluate('ask()'), 200)
  t.equal(await other.evaluate('ask()'), 200, 'the other tab has tokens and key')
  for (const seconds of [60, 120, 300, 901]) {
    clock.advance(seconds)
    t.equal(await page.evaluate('ask()'), 200, `after ${seconds} s`)
    await page.reload()
    t.equal(await page.evaluate('ask()'), 200, `after ${seconds} s and a reload`)
    t.equal(await other.evaluate('ask()'), 200, `the other tab`)
  }
  const keys = `${KEY}.then((keys) => Promise.all(keys.map(async ({ privateKey, jwk }) => [
    privateKey.extractable, 'd' in jwk,
    await crypto.subtle.exportKey('pkcs8', privateKey).then(() => 'exported', ({ name }) => name),
  ])))`
  t.same(await page.evaluate(keys), [[false, false, 'InvalidAccessError']])
  t.notOk(events.includes('proof_refused'))
  t.notOk(events.includes('refresh_reuse_detected'))
  t.same(await page.evaluate('window.out'), [])
  t.equal(await page.evaluate('client.signOut().then(({ ok }) => ok)'), true)
  await untilTrue(other, 'window.out.length > 0')
})

test('the storage of a bound sign-in, copied to another profile, opens nothing and disturbs nobody', async (t) => {
  const { app, events, proxy, profile } = await start(t, 'session')
  const [owner, thief] = [await profile(), await profile()]
  const page = await owner.open()
  t.same(await signIn(page), [true, 'DPoP'])
  t.equal(await page.evaluate('ask()'), 200)
  const stored = await page.evaluate('Object.entries(sessionStorage)')
  const stolen = await thief.open()
  await stolen.evaluate(
    `for (const [key, value] of ${JSON.stringify(stored)}) sessionStorage.setItem(key, value)`,
  )
  await stolen.reload()
  t.equal(await stolen.evaluate('ask()'), 403, 'the thief’s browser refreshes with its own key')
  // What the network log of the owner's browser has.
  const { sent } = proxy.to('/user_info').at(-1) ?? {}
  const headers = { authorization: String(sent?.authorization), dpop: String(sent?.dpop) }
  t.match(headers, { authorization: /^DPoP ey/, dpop: /^ey/ })
  const answer = await app.inject({ url: '/user_info', headers })
  t.match(answer.json(), { code: 403, error: 'PROOF_INVALID' })
  t.same(
    events.filter((type) => /proof_refused|reuse|ended/.test(type)),
    ['proof_refused', 'proof_refused'],
  )
  t.equal(await page.evaluate('ask()'), 200, 'the owner notices nothing')
  t.equal(await page.evaluate('client.refresh().then((failed) => failed === null)'), true)
  t.same(await page.evaluate('window.out'), [])
})
