import type { Page } from 'playwright-core'
import { test } from 'tap'
import { credentialsIn, openWindow, signInOn, startChromium, startSite } from '../helpers/chromium.js'
import { ADMIN, userInfo } from '../helpers/http.js'

/** As when its window gets the focus: in a browser without windows all of them have it. */
const comeBackTo = (page: Page) => page.evaluate("window.dispatchEvent(new Event('focus'))")
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
    await comeBackTo(other)
    await titled(other, 'Signed in as admin')
    await other.getByText('You are now admin.').first().waitFor()
    await comeBackTo(page)
    await titled(page, 'Signed in as admin')
    await page.locator('#sign-out').click()
    await titled(other, 'Sign in')
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
      // That browser was told nothing, and sees it as soon as it is used again.
      await comeBackTo(thief.page)
      await thief.page.locator('.box.bad[data-code=SIGNED_OUT]').waitFor()
      await titled(thief.page, 'Sign in')
    },
  )
})
