import { test } from 'tap'
import {
  credentialsIn,
  openWindow,
  signInOn,
  startChromium,
  startSite,
  takePicture,
} from '../helpers/chromium.js'
import { signIn, USER, userInfo } from '../helpers/http.js'

const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, locale: 'zh-CN' }
const desk = { width: 1280, height: 880 }

/** Each on another screen: that is how the pictures of the README come about. */
const WAYS = {
  cookie: phone,
  session: { viewport: desk },
  token: { viewport: desk, colorScheme: 'dark' },
} as const

/** Where else the same person is signed in. */
const ELSEWHERE = {
  cookie:
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1',
  token: 'curl/8.7.1',
}

test('the page in a browser', async (t) => {
  const browser = await startChromium(t)
  const { app, origin } = await startSite(t)

  await signIn(app, 'cookie', USER, { 'user-agent': ELSEWHERE.cookie })
  await signIn(app, 'token', USER, { 'user-agent': ELSEWHERE.token })

  for (const way of ['cookie', 'session', 'token'] as const) {
    await t.test(`by ${way}, from login to logout`, async (t) => {
      const { page, complaints } = await openWindow(t, browser, WAYS[way])
      await page.goto(origin)
      await signInOn(page, way)
      t.match(await page.locator('#title').textContent(), /^(Signed in as |已登录：)user1$/)
      await page.locator('.device').nth(2).waitFor()
      t.equal(await page.locator('.device').count(), 3, 'with those from elsewhere')
      t.match(await page.locator('#devices').textContent(), /Safari.*curl|curl.*Safari/)
      await takePicture(page, way)
      t.equal(await page.evaluate('document.activeElement.id'), 'title', 'the focus is on who is there')
      t.equal(await page.evaluate('document.cookie'), '', 'no script sees a credential')
      t.equal(await page.evaluate('JSON.stringify([localStorage, sessionStorage])'), '[{},{}]', 'nor storage')
      const cookies = await credentialsIn(page)
      t.same(
        cookies.map(({ name }) => name),
        [{ cookie: 'identity', session: 'session', token: 'refresh' }[way]],
      )
      await page.reload()
      await page.locator(`#recognised[data-mode=${way}]`).waitFor()
      // The list comes after the caller.
      await page.locator('.device').nth(2).waitFor()
      t.equal(await page.locator('.device').count(), 3, 'a reload signs nobody out, and in once more')
      await page.locator('#sign-out').click()
      await page.locator('#sign-in').waitFor()
      await page
        .getByText(/^(You are signed out\.|您已退出登录。)$/)
        .first()
        .waitFor()
      t.same(await credentialsIn(page), [], 'nothing is left in the browser')
      for (const { name, value } of cookies) {
        const after = await userInfo(app, { cookie: `${name}=${value}` })
        const error = way === 'token' ? 'NOT_SIGNED_IN' : 'SIGNED_OUT'
        t.match(after.json(), { code: 403, error }, 'nor does a copy of it work')
      }
      t.same(complaints, [])
    })
  }

  await t.test('a sign-in whose cookie is gone: a reload says so, and the next one does not', async (t) => {
    const { page, complaints } = await openWindow(t, browser)
    await page.goto(origin)
    await signInOn(page, 'token')
    await page.context().clearCookies()
    await page.reload()
    await page.getByText('You are no longer signed in.').first().waitFor()
    await page.reload()
    await page.locator('main:not([aria-busy]) #sign-in-button').waitFor()
    t.equal(await page.locator('.box').count(), 0)
    t.same(complaints, [])
  })
})
