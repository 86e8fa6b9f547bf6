import { openWindow, startChromium } from '../../helpers/chromium.js'
import { type Page, portOf } from '../runners.js'
import { answers } from '../setups.js'

const SCRIPT = '"><script>document.title = "mine"</script>'

const page: Page = {
  program: {
    before: "process.env.AUTH_SECRET = 'a secret for tests, at least 32 bytes long'",
    check: async (t, app) => {
      const origin = `http://127.0.0.1:${portOf(app)}`
      const browser = await startChromium(t)
      const { page } = await openWindow(t, browser, { javaScriptEnabled: false })
      const form = page.getByRole('button', { name: 'Sign in' })
      await page.goto(`${origin}/orders?year=2026`)
      t.equal(page.url(), `${origin}/login?next=%2Forders%3Fyear%3D2026`)
      await page.getByLabel('Name').fill('alice')
      await page.getByLabel('Password').fill('guessed')
      await form.click()
      t.match(await page.getByRole('alert').textContent(), /password/)
      t.equal(await page.getByLabel('Name').inputValue(), 'alice', 'the name is kept')
      t.equal(await page.getByLabel('Password').inputValue(), '', 'the password is not')
      await page.getByLabel('Password').fill('correct horse')
      await form.click()
      await page.waitForURL(`${origin}/orders?year=2026`)
      t.equal(await page.title(), 'Orders of alice')
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.waitForURL(`${origin}/login`)
      await page.goBack()
      t.equal(await page.title(), 'Sign in', 'the way back shows nothing')

      const post = (payload: object, headers = {}, url = '/login') =>
        app.inject({ method: 'POST', url, payload, headers })
      const shown = await post({ username: SCRIPT, password: 'guessed' })
      t.equal(shown.statusCode, 401)
      t.notMatch(shown.body, /<script/)
      const wanted = { username: 'alice', password: 'correct horse' }
      const elsewhere = await post(wanted, {}, '/login?next=//evil.example')
      t.equal(elsewhere.headers.location, '/')
      const crossSite = await post(wanted, { 'sec-fetch-site': 'cross-site' })
      answers(t, crossSite, 403)
      t.strictSame(crossSite.cookies, [])
      for (let guesses = 0; guesses < 20; guesses++) await post({ username: 'bob', password: 'guessed' })
      const slowed = await post({ username: 'bob', password: 'guessed' })
      answers(t, slowed, 429)
      t.match(slowed.headers['retry-after'], /^\d+$/)
    },
  },
}

export default page
