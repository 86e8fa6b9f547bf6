import type { BrowserContext, CDPSession, Page } from 'playwright-core'
import { type Test, test } from 'tap'
import { bundleClient } from '../helpers/bundled-client.js'
import { type Site, startChromium, startSite, untilTrue } from '../helpers/chromium.js'
import { USER } from '../helpers/http.js'

/** 500 rounds take some minutes: CLIENT_ROUNDS=500. */
const ROUNDS = Number(process.env.CLIENT_ROUNDS ?? 12)
const TABS = 8
/** One page of the test's own, so that nothing but the client asks. */
const PAGE = '/client-test'

const script = (client: string, storage: string) => `${client}
window.out = []
window.client = identity.createClient({ storage: '${storage}', onSignedOut: (error) => out.push(error) })
window.ask = () => client.fetch('/sign_ins').then((response) => response.status, String)`

interface World {
  readonly site: Site
  readonly context: BrowserContext
  readonly alarms: string[]
  /** How many refreshes the server has answered. */
  readonly refreshes: { count: number }
  open(): Promise<Page>
}

async function start(t: Test, init = '', storage: 'cookie' | 'session' = 'cookie'): Promise<World> {
  const browser = await startChromium(t)
  const site = await startSite(t, { LOGIN_LIMIT_ADDRESS: '100000' })
  const context = await browser.newContext()
  t.teardown(() => context.close())
  const html = `<!doctype html><title>Client</title><script>${init}\n${script(await bundleClient(), storage)}</script>`
  await context.route(`${site.origin}${PAGE}`, (route) =>
    route.fulfill({ contentType: 'text/html', body: html }),
  )
  const alarms: string[] = []
  const refreshes = { count: 0 }
  site.app.audit.subscribe(({ type }) => {
    if (type === 'refreshed') refreshes.count += 1
    if (type === 'refresh_reuse_detected') alarms.push(type)
  })
  const open = async () => {
    const page = await context.newPage()
    await page.goto(`${site.origin}${PAGE}`)
    return page
  }
  return { site, context, alarms, refreshes, open }
}

const signIn = (page: Page) =>
  page.evaluate(`client.signIn(${JSON.stringify(USER)}).then((result) => result.ok)`)
const askAll = (pages: readonly Page[]) => Promise.all(pages.map((page) => page.evaluate('ask()')))
const signedOutOf = async (pages: readonly Page[]) =>
  (await Promise.all(pages.map((page) => page.evaluate('window.out')))).flat()

/** A slow network, of one tab. */
async function throttle(context: BrowserContext, page: Page): Promise<CDPSession> {
  const session = await context.newCDPSession(page)
  await session.send('Network.enable')
  await session.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 40,
    downloadThroughput: 50_000,
    uploadThroughput: 20_000,
  })
  return session
}

test('8 tabs on a slow network, one killed while it refreshes: nobody is signed out', async (t) => {
  const { site, context, alarms, refreshes, open } = await start(t)
  let pages = await Promise.all(Array.from({ length: TABS }, open))
  for (const page of pages) await throttle(context, page)
  t.equal(await signIn(pages[0] ?? (await open())), true)
  t.same(
    await askAll(pages),
    pages.map(() => 200),
    'each tab has the sign-in',
  )
  refreshes.count = 0
  let opened = 0
  for (let round = 0; round < ROUNDS; round++) {
    site.clock.advance(901)
    if (round % 10 === 4) {
      // The tab goes while its refresh is on its way.
      const [victim, ...others] = pages
      const asked = victim?.waitForRequest((request) => request.url().endsWith('/refresh_token'))
      victim?.evaluate('void ask()').catch(() => {})
      await asked
      const closing = victim?.close()
      t.same(
        await askAll(others),
        others.map(() => 200),
        `round ${round}: the others`,
      )
      await closing
      const next = await open()
      await throttle(context, next)
      pages = [...others, next]
      opened += 1
    }
    t.same(
      await askAll(pages),
      pages.map(() => 200),
      `round ${round}`,
    )
  }
  // A tab that has just been opened has no token yet.
  const perRound = (refreshes.count - opened) / ROUNDS
  if (process.env.CLIENT_ROUNDS) console.error(`${ROUNDS} rounds: ${perRound} refreshes a round`)
  t.ok(perRound <= 1.2, `${perRound} refreshes a round`)
  t.same(await signedOutOf(pages), [])
  t.same(alarms, [])
})

test('sleep, a wrong clock and a reload sign nobody out', async (t) => {
  // The page's clock is an hour ahead.
  const { site, context, alarms, open } = await start(
    t,
    'const now = Date.now; Date.now = () => now() + 3600000',
  )
  const page = await open()
  t.equal(await signIn(page), true)
  const session = await context.newCDPSession(page)
  await session.send('Page.enable')
  for (let round = 0; round < 3; round++) {
    await session.send('Page.setWebLifecycleState', { state: 'frozen' })
    site.clock.advance(2 * 3600)
    await session.send('Page.setWebLifecycleState', { state: 'active' })
    t.equal(await page.evaluate('ask()'), 200, 'after sleep')
    await page.reload()
    t.equal(await page.evaluate('ask()'), 200, 'after a reload')
  }
  await context.setOffline(true)
  site.clock.advance(901)
  t.match(await page.evaluate('ask()'), /TypeError/)
  await context.setOffline(false)
  await untilTrue(page, 'ask().then((status) => status === 200)')
  t.same(await signedOutOf([page]), [])
  t.same(alarms, [])
  t.equal(await page.evaluate('client.signOut().then((result) => result.ok)'), true)
  t.same(await signedOutOf([page]), ['SIGNED_OUT'])
})

test('sign-out reaches the other tabs of the browser', async (t) => {
  const { open } = await start(t)
  const [one, other] = [await open(), await open()]
  t.equal(await signIn(one), true)
  t.equal(await other.evaluate('ask()'), 200)
  await one.evaluate('client.signOut()')
  await untilTrue(other, 'window.out.length > 0')
  t.same(await signedOutOf([one, other]), ['SIGNED_OUT', 'SIGNED_OUT'])
  t.equal(await other.evaluate('ask()'), 403)
})

test('session storage: a reload keeps the sign-in, in its own tab', async (t) => {
  const { site, alarms, open } = await start(t, '', 'session')
  const [one, other] = [await open(), await open()]
  t.equal(await signIn(one), true)
  site.clock.advance(901)
  await one.reload()
  t.equal(await one.evaluate('ask()'), 200)
  t.equal(await other.evaluate('ask()'), 403)
  await one.evaluate('client.signOut()')
  await one.reload()
  t.equal(await one.evaluate('ask()'), 403)
  t.equal(await one.evaluate('sessionStorage.length'), 0)
  t.same(alarms, [])
})
