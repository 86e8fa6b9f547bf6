import type { Page } from 'playwright-core'
import { test } from 'tap'
import { fitsWidth, tabTo, violations } from '../helpers/accessibility.js'
import { openWindow, startChromium, startSite, untilTrue } from '../helpers/chromium.js'

async function signInByKeyboard(page: Page, arrows: number): Promise<void> {
  await tabTo(page, 'way-cookie')
  for (let step = 0; step < arrows; step += 1) await page.keyboard.press('ArrowDown')
  await tabTo(page, 'username')
  await page.keyboard.type('admin')
  await tabTo(page, 'password')
  await page.keyboard.type('admin123')
  await page.keyboard.press('Enter')
  await page.locator('.device.current').waitFor()
}

test('the page for everybody', async (t) => {
  const browser = await startChromium(t)
  const { origin } = await startSite(t)
  // What a page of 1280 pixels has left at 400 % (WCAG 2.2, 1.4.10).
  const phone = { width: 320, height: 740 }
  const screens = [
    { name: 'English, light', options: { locale: 'en-GB' }, arrows: 0 },
    { name: 'Chinese, dark', options: { locale: 'zh-CN', colorScheme: 'dark' }, arrows: 1 },
    { name: 'English, dark, phone', options: { colorScheme: 'dark', viewport: phone }, arrows: 2 },
  ] as const

  for (const { name, options, arrows } of screens) {
    await t.test(`${name}: axe finds nothing, and the keyboard is enough`, async (t) => {
      // Its own policy would keep axe out; that it holds, the other tests see.
      const { page, complaints } = await openWindow(t, browser, { ...options, bypassCSP: true })
      await page.goto(origin)
      await page.locator('#sign-in').waitFor()
      t.same(await violations(page), [], 'before')
      await signInByKeyboard(page, arrows)
      t.equal(
        await page.locator('#recognised').getAttribute('data-mode'),
        ['cookie', 'session', 'token'][arrows],
      )
      t.same(await violations(page), [], 'signed in')
      for (const id of ['end-others', 'disable-user1']) {
        await page.locator(`#${id}`).click()
        await page.locator(`#${id}-yes`).waitFor()
        t.same(await violations(page), [], `the question of ${id}`)
        t.ok(await fitsWidth(page), 'nothing sticks out')
        await page.keyboard.press('Escape')
      }
      for (const language of ['en', 'zh']) {
        await page.locator(`#language-${language}`).click()
        await page.locator(`html[lang|=${language}]`).waitFor()
        t.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), 'nothing sticks out')
      }
      await tabTo(page, 'current-password')
      await page.keyboard.type('wrong')
      await page.keyboard.press('Tab')
      await page.keyboard.type('another good password')
      await page.keyboard.press('Enter')
      await page.locator('.box.bad[data-code=CREDENTIALS_REFUSED]').waitFor()
      await untilTrue(page, 'document.getElementById("alert").textContent !== ""')
      t.equal(await page.evaluate('document.activeElement.id'), 'new-password', 'the focus stays')
      t.same(await violations(page), [], 'with a failure')
      t.same(complaints, [])
    })
  }

  await t.test('the language changes in place, and with it what the server says', async (t) => {
    const { page, complaints } = await openWindow(t, browser)
    await page.goto(origin)
    await page.locator('#username').fill('user1')
    await page.locator('#language-zh').click()
    await page.locator('html[lang=zh-CN]').waitFor()
    t.equal(await page.locator('#title').textContent(), '登录')
    t.equal(await page.locator('#username').inputValue(), 'user1', 'what was typed is kept')
    t.equal(await page.evaluate('document.activeElement.id'), 'language-zh', 'and the focus')
    await page.locator('#password').fill('wrong')
    await page.locator('#sign-in-button').click()
    await page.getByText('用户名或密码错误。').first().waitFor()
    await page.reload()
    await page.getByRole('heading', { name: '登录' }).waitFor()
    t.same(complaints, [])
  })

  await t.test('what could not be done is said, with what to do', async (t) => {
    const { page } = await openWindow(t, browser)
    await page.goto(origin)
    const refuse = (status: number, error: string, headers: Record<string, string>) =>
      page.route('**/login_cookie', (route) =>
        route.fulfill({ status, headers, json: { code: status, msg: `It is ${error}.`, error } }),
      )
    const box = (code: string) => page.locator(`.box.bad[data-code=${code}]`)
    await page.locator('#username').fill('user1')
    await page.locator('#password').fill('user123')
    await refuse(429, 'THROTTLED', { 'retry-after': '90' })
    await page.locator('#sign-in-button').click()
    await box('THROTTLED').waitFor()
    t.match(await box('THROTTLED').textContent(), /It is THROTTLED\..*Try again in 1:[23]\d/)
    await refuse(503, 'STORE_UNAVAILABLE', { 'retry-after': '1' })
    await page.locator('#sign-in-button').click()
    await box('STORE_UNAVAILABLE').getByText('You can try again now.').waitFor()
    await page.route('**/login_cookie', (route) => route.abort())
    await page.locator('#sign-in-button').click()
    t.match(await box('NETWORK').textContent(), /did not answer.*Check the connection/)
    t.equal(await page.locator('#password').inputValue(), 'user123', 'nothing has to be typed again')
    await page.locator('#password').fill('')
    await page.locator('#sign-in-button').click()
    await box('INCOMPLETE').waitFor()
    t.equal(await page.evaluate('document.activeElement.id'), 'password')
    t.equal(await page.locator('#password').getAttribute('aria-invalid'), 'true')
    t.equal(await page.locator('#password').getAttribute('aria-describedby'), 'sign-in-failure')
  })

  await t.test('a page that came without its server can be tried again', async (t) => {
    const { page } = await openWindow(t, browser)
    await page.route('**/settings', (route) => route.abort())
    await page.goto(origin)
    await page.locator('.box.bad[data-code=NETWORK]').waitFor()
    await page.unroute('**/settings')
    await page.locator('#try-again').click()
    await page.locator('#register').waitFor()
    t.equal(await page.locator('.box, #try-again').count(), 0)
  })
})
