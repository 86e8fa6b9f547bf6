import { once } from 'node:events'
import { createServer } from 'node:http'
import { type Test, test } from 'tap'
import { type DeviceWindow, openIncognito } from '../helpers/dbsc-browser.js'
import { proofOf } from '../helpers/device-app.js'
import { bindIn, call, type DeviceSite, startDeviceSite } from '../helpers/device-site.js'

const REFRESH = '/device/refresh'
const COOKIE_PROOF = proofOf('cookie')

/** A page of another site that leads to this one: `127.0.0.1` is none of localhost's. */
async function startOtherSite(t: Test, target: string): Promise<string> {
  const page = `<!doctype html><title>Other</title><a href="${target}/page">on</a><script>
    window.tried = fetch('${target}/me', { mode: 'no-cors', credentials: 'include' }).then(() => 'sent')
  </script>`
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end(page)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it listens on no port')
  return `http://127.0.0.1:${address.port}/`
}

/** What a page does, each to be answered with the name of who is there. */
const WAYS: Readonly<
  Record<string, (window: DeviceWindow, site: DeviceSite, other: string) => Promise<unknown>>
> = {
  async 'a fetch'({ page }) {
    return page.evaluate("fetch('/me').then((answer) => answer.json()).then(({ username }) => username)")
  },
  async 'a navigation'({ page }, { origin }) {
    await page.goto(`${origin}/page`)
    return page.title()
  },
  async 'a link from another site'({ page }, { origin }, other) {
    await page.goto(other)
    await page.evaluate('window.tried')
    await page.getByText('on').click()
    await page.waitForURL(`${origin}/page`)
    return page.title()
  },
  async 'a WebSocket'({ page }) {
    return page.evaluate(`new Promise((resolve) => {
      const socket = new WebSocket('/ws')
      socket.onmessage = ({ data }) => resolve(data)
      socket.onclose = ({ code }) => resolve(code)
    })`)
  },
  async 'an EventSource'({ page }) {
    return page.evaluate(`new Promise((resolve) => {
      const source = new EventSource('/events')
      source.onmessage = ({ data }) => resolve(data)
      source.onerror = () => resolve('error')
    })`)
  },
}

for (const mode of ['cookie', 'session'] as const)
  test(`an expired proof is renewed before anything is asked: ${mode}`, async (t) => {
    const site = await startDeviceSite(t)
    const { clock, proxy } = site
    const other = await startOtherSite(t, site.origin)
    const window = await openIncognito(t)
    await bindIn(window, site, mode)
    clock.advance(80)
    for (const [way, go] of Object.entries(WAYS)) {
      const before = proxy.to(REFRESH).length
      await window.expire(proofOf(mode))
      t.equal(await go(window, site, other), 'alice', way)
      const refreshes = proxy.to(REFRESH).slice(before)
      t.same(
        refreshes.map(({ status }) => status),
        [200],
        `${way}: one trip`,
      )
    }
    t.notOk(
      window.events.some(({ kind }) => kind === 'ended'),
      'the browser has kept the sign-in',
    )
  })

test('a request of another site goes without cookies, and costs no signature', async (t) => {
  const site = await startDeviceSite(t)
  const other = await startOtherSite(t, site.origin)
  const window = await openIncognito(t)
  await bindIn(window, site)
  for (const state of ['there', 'expired']) {
    if (state === 'expired') await window.expire(COOKIE_PROOF)
    await window.page.goto(other)
    t.equal(await window.page.evaluate('window.tried'), 'sent')
    const asked = site.proxy.to('/me').at(-1)
    t.equal(asked?.status, 401)
    t.equal(asked?.sent.cookie, undefined, 'because of SameSite=Lax')
    t.same(site.proxy.to(REFRESH), [], `no refresh: the proof is ${state}`)
    await window.page.goto(`${site.origin}/`)
    site.proxy.exchanges.length = 0
  }
})

test('a proof that ends soon is renewed beside the requests', async (t) => {
  const site = await startDeviceSite(t)
  const window = await openIncognito(t)
  await bindIn(window, site)
  const gate = site.proxy.keep(REFRESH, 'request')
  await window.shorten(COOKIE_PROOF, 60)
  t.equal(await call(window, '/me'), '200')
  await gate.reached
  t.equal(await call(window, '/me'), '200', 'nothing waits for it')
  gate.open()
  await window.happened('refresh', 'Refreshed')
  t.match(
    window.events.filter(({ kind }) => kind === 'refresh'),
    [{ result: 'Refreshed', isProactive: true }],
  )
})

test('the challenge on an answer makes the next refresh one trip', async (t) => {
  const site = await startDeviceSite(t)
  const { clock, proxy } = site
  const window = await openIncognito(t)
  await bindIn(window, site)
  clock.advance(16 * 60)
  t.equal(await call(window, '/me'), '200')
  await window.expire(COOKIE_PROOF)
  t.equal(await call(window, '/me'), '200')
  // The browser has slept, and has only a challenge that is too old.
  clock.advance(3600 - 16 * 60 - 90)
  await window.expire(COOKIE_PROOF)
  t.equal(await call(window, '/me'), '200')
  t.same(
    proxy.to(REFRESH).map(({ status }) => status),
    [200, 403, 200],
  )
})

test('two tabs share one refresh', async (t) => {
  const site = await startDeviceSite(t)
  const window = await openIncognito(t)
  await bindIn(window, site)
  const page = await window.context.newPage()
  await page.goto(`${site.origin}/`)
  await window.expire(COOKIE_PROOF)
  const gate = site.proxy.keep(REFRESH, 'request')
  const answers = Promise.all([call(window, '/me'), call({ page }, '/me'), call({ page }, '/me')])
  await gate.reached
  gate.open()
  t.same(await answers, ['200', '200', '200'])
  t.equal(site.proxy.to(REFRESH).length, 1)
})
