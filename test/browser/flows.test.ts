import { test } from 'tap'
import { openWindow, signInOn, startChromium, startSite, type Way } from '../helpers/chromium.js'
import { userInfo } from '../helpers/http.js'

const WAYS: readonly Way[] = ['cookie', 'session', 'token']

test('the page in a browser', async (t) => {
  const browser = await startChromium(t)
  const { app, origin } = await startSite(t)

  for (const way of WAYS) {
    await t.test(`by ${way}, from login to logout`, async (t) => {
      const { page, complaints } = await openWindow(t, browser)
      await page.goto(origin)
      await signInOn(page, way)
      t.equal(await page.locator('#title').textContent(), 'Signed in as user1')
      t.equal(await page.evaluate('document.activeElement.id'), 'title', 'the focus is on who is there')
      t.equal(await page.evaluate('document.cookie'), '', 'no script sees a credential')
      t.equal(await page.evaluate('JSON.stringify([localStorage, sessionStorage])'), '[{},{}]', 'nor storage')
      const cookies = await page.context().cookies()
      t.same(
        cookies.map(({ name }) => name),
        way === 'token' ? [] : [way === 'cookie' ? 'identity' : 'session'],
      )
      await page.locator('#sign-out').click()
      await page.locator('#sign-in').waitFor()
      await page.getByText('You are signed out.').first().waitFor()
      t.same(await page.context().cookies(), [], 'nothing is left in the browser')
      for (const { name, value } of cookies) {
        const after = await userInfo(app, { cookie: `${name}=${value}` })
        t.match(after.json(), { code: 403, error: 'SIGNED_OUT' }, 'nor does a copy of it work')
      }
      t.same(complaints, [])
    })
  }
})
