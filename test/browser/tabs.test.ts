import type { Page } from 'playwright-core'
import { test } from 'tap'
import { credentialsIn, openWindow, signInOn, startChromium, startSite } from '../helpers/chromium.js'
import { eventually } from '../helpers/followed.js'
import { ADMIN, signIn, userInfo } from '../helpers/http.js'

/** As when the tab is shown: in a browser without windows all of them are. */
const show = (page: Page, name: string) =>
  eventually(async () => {
    await page.evaluate("void document.dispatchEvent(new Event('visibilitychange'))")
    return (await page.locator('#title').textContent()) === name
  })
const titled = (page: Page, name: string) => page.getByRole('heading', { level: 1, name }).waitFor()

test('what happens elsewhere shows', async (t) => {
  const browser = await startChromium(t, { backForwardCache: true })
  const { app, origin } = await startSite(t)

  await t.test('the tabs of one browser are of one mind', async (t) => {
    const { page, complaints } = await openWindow(t, browser)
    const other = await page.context().newPage()
    for (const tab of [page, other]) await tab.goto(origin)
    await other.locator('#sign-in').waitFor()
    await signInOn(page, 'session')
    await titled(other, 'Signed in as user1')
    // The cookie of the one is the cookie of the other: without a word, that one would change an administrator's password.
    const login = { data: ADMIN }
    await page.context().request.post(`${origin}/login_session`, login)
    // At its end, the former sign-in may still be in the tabs' cookie. Then they show the form until they are shown.
    for (const tab of [page, other]) {
      await show(tab, 'Signed in as admin')
      await tab.getByText('You are now admin.').first().waitFor()
    }
    await page.locator('#sign-out').click()
    await titled(other, 'Sign in')
    await other.locator('.box.good').getByText('You signed out in another tab.').waitFor()
    t.equal(await other.locator('.box.bad').count(), 0, 'nobody is blamed')
    t.same(complaints, [])
  })

  for (const [way, count] of [
    ['cookie', 8],
    ['token', 3],
  ] as const)
    await t.test(`${count} tabs, signed in by ${way}, share one live connection`, async (t) => {
      const { page, complaints } = await openWindow(t, browser)
      const opened: string[] = []
      page.context().on('response', (response) => {
        if (response.url() === `${origin}/live` && response.ok()) opened.push(response.url())
      })
      await page.goto(origin)
      await signInOn(page, way)
      await eventually(() => app.live.open === 1)
      const tabs: Page[] = []
      while (tabs.length < count - 1) {
        const tab = await page.context().newPage()
        await tab.goto(origin)
        await titled(tab, 'Signed in as user1')
        tabs.push(tab)
      }
      const elsewhere = await signIn(app, 'cookie')
      for (const tab of [page, ...tabs]) await tab.locator('.device').nth(1).waitFor()
      t.equal(opened.length, 1, 'all tabs have heard of a sign-in elsewhere, over one connection')
      t.equal(app.live.open, 1)

      await page.close()
      await eventually(() => opened.length === 2 && app.live.open === 1)
      await app.inject({ method: 'DELETE', url: '/sign_ins', headers: elsewhere.credential })
      for (const tab of tabs) {
        await titled(tab, 'Sign in')
        await tab.locator('.box.bad').getByText('This sign-in has ended.').waitFor()
      }
      t.equal(opened.length, 2, 'another tab has taken over')
      await eventually(() => app.live.open === 0)
      t.same(complaints, [])
    })

  await t.test('back, after signing out elsewhere, shows nothing of who was there', async (t) => {
    const { page } = await openWindow(t, browser)
    await page.goto(origin)
    await signInOn(page, 'cookie')
    await page.evaluate(
      "addEventListener('pageshow', (event) => { window.shown = [event.persisted, document.body.textContent.includes('user1')] })",
    )
    await page.goto(`${origin}/healthz`)
    await page.context().request.post(`${origin}/logout_cookie`)
    await page.goBack({ waitUntil: 'commit' })
    await titled(page, 'Sign in')
    t.same(await page.evaluate('window.shown'), [true, false], 'it came back as it was kept, without them')
    await signInOn(page, 'token')
    await page.goto(`${origin}/healthz`)
    await page.goBack({ waitUntil: 'commit' })
    await titled(page, 'Signed in as user1')
  })

  await t.test('a page that is left during an action is stored without the person, too', async (t) => {
    const { page, complaints } = await openWindow(t, browser)
    await page.goto(origin)
    await signInOn(page, 'cookie')
    await page.locator('.factor, #add-totp').first().waitFor()
    const shown = await page.evaluate(`
      document.querySelector('#reload-devices').click()
      dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))
      document.body.textContent.includes('user1')
    `)
    t.equal(shown, false)
    await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    await titled(page, 'Signed in as user1')
    await page.locator('.device.current').waitFor()
    t.same(complaints, [])
  })

  await t.test(
    'a session id that was planted is replaced by the login, and worth nothing after it',
    async (t) => {
      const thief = await openWindow(t, browser)
      await thief.page.goto(origin)
      await signInOn(thief.page, 'session', ADMIN)
      const [planted] = await credentialsIn(thief.page)
      if (!planted) throw new Error('the browser has no session cookie')
      const victim = await openWindow(t, browser)
      await victim.page.goto(origin)
      await victim.page.locator('#sign-in').waitFor()
      await victim.page.context().addCookies([planted])
      await signInOn(victim.page, 'session')
      t.equal(await victim.page.locator('#title').textContent(), 'Signed in as user1')
      const cookies = await credentialsIn(victim.page)
      t.equal(cookies.length, 1)
      t.not(cookies[0]?.value, planted.value)
      const asThief = await userInfo(app, { cookie: `session=${planted.value}` })
      t.match(asThief.json(), { code: 403, error: 'SIGNED_OUT' })
      // The victim's login ended the planted sign-in.
      await thief.page.locator('.box.bad[data-code=SIGNED_OUT]').waitFor()
      await titled(thief.page, 'Sign in')
    },
  )
})
