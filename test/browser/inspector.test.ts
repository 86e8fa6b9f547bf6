import type { Page } from 'playwright-core'
import { test } from 'tap'
import { credentialsIn, openWindow, signInOn, startChromium, startSite } from '../helpers/chromium.js'
import { signIn } from '../helpers/http.js'

/** What a list of names and values says, by name. */
async function fieldsOf(page: Page, id: string): Promise<Record<string, string>> {
  const [names, values] = await Promise.all(
    ['dt', 'dd'].map((tag) => page.locator(`#${id} ${tag}`).allTextContents()),
  )
  return Object.fromEntries((names ?? []).map((name, index) => [name, values?.[index] ?? '']))
}

const PRODUCTION = {
  NODE_ENV: 'production',
  SINGLE_INSTANCE: 'true',
  AUTH_SECRETS: 'kPz3Vt9_QyX2mWc7HsB4nLd8RfJ1gTa6',
}

test('the inspector shows what each way sends, and what can be read of it', async (t) => {
  const browser = await startChromium(t)
  // Under names of an operator's own, which the page must follow.
  const { app, origin } = await startSite(t, { COOKIE_NAME: 'center', SESSION_NAME: 'sid' })

  for (const way of ['cookie', 'session'] as const) {
    await t.test(`by ${way}`, async (t) => {
      const { page, complaints } = await openWindow(t, browser)
      await page.goto(origin)
      await signInOn(page, way)
      const [cookie] = await credentialsIn(page)
      if (!cookie) throw new Error('the browser has no cookie')
      t.equal(cookie.name, way === 'cookie' ? 'center' : 'sid')
      t.match(await page.locator('#carried').textContent(), new RegExp(`^Cookie: ${cookie.name}=•+$`))
      const [asked] = await Promise.all([
        page.waitForRequest((request) => request.url().includes('/sign_ins')),
        page.locator('#reload-devices').click(),
      ])
      const { cookie: header = '' } = await asked.allHeaders()
      t.ok(header.includes(`${cookie.name}=${cookie.value}`), 'which is what is sent')
      t.notMatch(await page.content(), cookie.value.slice(-20), 'none of it is on the page')
      const fields = await fieldsOf(page, `${way}-fields`)
      t.match(fields, { username: 'user1', role: 'User', remember: 'no' })
      if (way === 'session') t.match(fields, { 'times written': '1', 'application data': 'none' })
      else t.match(fields, { 'credential version': /^\d+$/ })
      t.match(await fieldsOf(page, 'sign-in-fields'), { 'IP address': '127.0.0.1', client: /Chrom/ })
      t.match(await page.locator('.readers .cannot').first().textContent(), 'HttpOnly hides it')
      t.same(complaints, [])
    })
  }

  await t.test('by token', async (t) => {
    const { page } = await openWindow(t, browser)
    await page.goto(origin)
    const answered = page.waitForResponse((response) => response.url().endsWith('/login_token'))
    await signInOn(page, 'token')
    const { token, refresh_token: inBody } = (await (await answered).json()).data
    t.equal(inBody, undefined)
    const [cookie] = await credentialsIn(page)
    t.match(cookie, { name: 'refresh', httpOnly: true, sameSite: 'Strict' })
    const refresh_token = cookie?.value ?? 'none'
    const [header = '', , signature] = token.split('.')
    const carried = (await page.locator('#carried').textContent()) ?? ''
    t.ok(carried.startsWith(`Authorization: Bearer ${header}.`))
    for (const secret of [signature, refresh_token]) t.notMatch(await page.content(), secret)
    t.match(await page.locator('#token-header').textContent(), '"at+jwt"')
    t.match(await page.locator('#token-payload').textContent(), /username"user1"/)
    t.equal(await page.locator('.readers .can').count(), 2, 'scripts, and whoever gets hold of it')
    t.match(await page.locator('#inspector').textContent(), 'Why not in localStorage?')
  })

  await t.test('of a production server it shows what the page knows by itself', async (t) => {
    const production = await startSite(t, PRODUCTION)
    await production.app.accounts.create({ username: 'zoe', password: 'three quiet ravens', role: 'user' })
    const { page, complaints } = await openWindow(t, browser)
    await page.goto(production.origin)
    t.notMatch(
      await page.locator('#main').textContent(),
      'admin123',
      'no sample of accounts that are not there',
    )
    await signInOn(page, 'token', { username: 'zoe', password: 'three quiet ravens' })
    t.match(await page.locator('#token-payload').textContent(), '"zoe"')
    t.match(await page.locator('#inspector').textContent(), 'The inspector is off')
    t.equal(await page.locator('#sign-in-fields').count(), 0)
    t.same(complaints, [])
  })

  await t.test('nobody sees anything of another', async (t) => {
    const mine = await signIn(app, 'session')
    const { body } = await app.inject({ url: '/inspector?username=admin&id=1', headers: mine.credential })
    t.match(JSON.parse(body).data.session, { username: 'user1' })
    t.notMatch(body, 'admin')
  })
})
