import { test } from 'tap'
import { focused, violations } from '../helpers/accessibility.js'
import { clickTwice, openWindow, signInOn, startChromium, startSite } from '../helpers/chromium.js'
import { eventually } from '../helpers/followed.js'
import { ADMIN, post, signIn, userInfo } from '../helpers/http.js'

test('one account, in a browser', async (t) => {
  const browser = await startChromium(t)
  const { app, origin } = await startSite(t)

  await t.test('a person sets a display name, and sees the last sign-ins', async (t) => {
    await signIn(app, 'token')
    const { page, complaints } = await openWindow(t, browser)
    await page.goto(origin)
    await signInOn(page, 'session')
    t.match(await page.locator('#profile .events').textContent(), /Session.*127\.0\.0\.1.*Token/)
    await page.locator('#display-name').fill('\u202eadmin')
    await page.locator('#save-profile').click()
    await page.locator('.box.bad[data-code=DISPLAY_NAME_INVALID]').waitFor()
    t.equal(await page.locator('#display-name').getAttribute('aria-invalid'), 'true')
    await page.locator('#display-name').fill(' Ada <b>L</b> ')
    await page.locator('#save-profile').click()
    await page.getByRole('heading', { name: 'Signed in as Ada <b>L</b>' }).waitFor()
    t.equal(await page.locator('#display-name').inputValue(), 'Ada <b>L</b>')
    t.match(await page.locator('.me .facts').textContent(), /Usernameuser1/, 'the username stays in sight')
    await page.reload()
    await page.getByRole('heading', { name: 'Signed in as Ada <b>L</b>' }).waitFor()
    t.same(complaints, [])
  })

  await t.test('an administrator sees one account, acts on it, and goes back', async (t) => {
    const user = await signIn(app, 'cookie')
    await post(app, '/api_keys', { name: 'nightly backup' }, user.credential)
    const { page, complaints } = await openWindow(t, browser, { bypassCSP: true })
    await page.goto(origin)
    await signInOn(page, 'cookie', ADMIN)
    await page.locator('#show-user1').click()
    await page.locator('#account-title').waitFor()
    t.equal(await focused(page), 'account-title')
    const shown = page.locator('.account-page')
    t.match(await shown.textContent(), /user1.*User.*nightly backup.*API key made.*Signed in/s)
    t.same(await violations(page), [])
    await clickTwice(page, 'role-user1')
    await shown.getByText('Role changed: Administrator · by an administrator').waitFor()
    await shown.getByText('Nobody is signed in.').waitFor()
    t.equal((await userInfo(app, user.credential)).statusCode, 403)
    await page.locator('#language-zh').click()
    await shown.getByText('角色改为管理员 · 由管理员操作').waitFor()
    t.notMatch(await shown.textContent(), /Administrator|Signed in|Sign-in/)
    await page.locator('#language-en').click()
    await page.locator('#close-account').click()
    t.equal(await focused(page), 'show-user1')
    await page.locator('.account', { hasText: 'user1' }).getByText('Administrator').waitFor()
    t.same(complaints, [])
  })

  await t.test('an action that is hard to undo asks first', async (t) => {
    const user = await signIn(app, 'cookie')
    const { page } = await openWindow(t, browser)
    await page.goto(origin)
    await signInOn(page, 'cookie', ADMIN)
    for (const id of ['end-others', 'end-all', 'role-user1', 'disable-user1', 'end-of-user1']) {
      await page.locator(`#${id}`).focus()
      await page.keyboard.press('Enter')
      t.equal(await focused(page), `${id}-no`, id)
      await page.keyboard.press('Enter')
      t.equal(await focused(page), id, 'pressing Enter twice does nothing')
      await page.keyboard.press('Enter')
      await page.keyboard.press('Escape')
      t.equal(await focused(page), id, 'nor does Escape')
    }
    await page.locator('#end-all').click()
    await page.locator('#end-others').click()
    t.equal(await page.locator('.confirm').count(), 1, 'one question at a time')
    t.equal((await userInfo(app, user.credential)).statusCode, 200)
  })
})

test('a page of somebody with many sign-ins', async (t) => {
  const browser = await startChromium(t)
  const { app, origin } = await startSite(t)
  for (let count = 0; count < 30; count += 1) await signIn(app, 'cookie')

  await t.test('a few are shown, with since when, and the rest on demand', async (t) => {
    const { page, complaints } = await openWindow(t, browser)
    await page.goto(origin)
    await signInOn(page, 'session')
    const rows = page.locator('.device')
    t.equal(await rows.count(), 5)
    t.match(await rows.first().getAttribute('class'), 'current')
    t.match(await rows.first().textContent(), /signed in \d/)
    t.ok(await page.getByText('5 of 31 sign-ins are shown.').isVisible())
    await page.locator('#more-devices').click()
    t.equal(await rows.count(), 25)
    t.equal(await focused(page), 'more-devices')
    await page.locator('#more-devices').click()
    t.equal(await rows.count(), 31)
    t.equal(await page.locator('#more-devices').count(), 0)
    t.equal(await focused(page), 'devices-title')
    t.same(complaints, [])
  })

  await t.test('a slow call is seen and read out, and the header stays in sight', async (t) => {
    const { page } = await openWindow(t, browser, { viewport: { width: 900, height: 500 } })
    await page.goto(origin)
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    await page.route('**/login_cookie', async (route) => {
      await held
      await route.continue()
    })
    await page.locator('#username').fill('user1')
    await page.locator('#password').fill('user123')
    await page.locator('#sign-in-button').click()
    t.ok(await page.locator('html[data-busy]').count())
    await page.locator('#status', { hasText: 'Please wait …' }).waitFor({ state: 'attached' })
    release()
    await page.locator('.device.current').waitFor()
    await page.locator('html:not([data-busy])').waitFor({ state: 'attached' })
    t.equal(await focused(page), 'title')
    t.equal(await page.evaluate('scrollY'), 0)
  })

  await t.test('a phone shows the page and the inspector in turn', async (t) => {
    const { page } = await openWindow(t, browser, { viewport: { width: 320, height: 640 }, locale: 'zh-CN' })
    await page.goto(origin)
    await page.locator('#sign-in').waitFor()
    t.notOk(await page.locator('#inspector').isVisible())
    await signInOn(page, 'cookie')
    await page.locator('#view-inspector').click()
    t.ok(await page.locator('#inspector').isVisible())
    t.notOk(await page.locator('#title').isVisible())
    t.equal(await page.locator('#view-inspector').getAttribute('aria-pressed'), 'true')
    await page.locator('#cookie-fields').waitFor()
    t.match(await page.locator('#cookie-fields').textContent(), '普通用户', 'the role is in Chinese')
    t.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), 'nothing sticks out')
    await page.locator('#view-page').click()
    await clickTwice(page, 'end-all')
    await page.locator('#sign-in').waitFor()
  })
})

test('a browser that stores no cookies', async (t) => {
  const browser = await startChromium(t)
  const { app, origin } = await startSite(t)
  const { page } = await openWindow(t, browser)
  // Node's own request: one of the browser would store the cookie.
  await page.route('**/login_token', async (route) => {
    const body = route.request().postData()
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${origin}/login_token`, { method: 'POST', headers, body })
    await route.fulfill({ status: answer.status, json: await answer.json() })
  })
  await page.goto(origin)
  await signInOn(page, 'token')
  await page.getByText('A reload will therefore sign you out.').first().waitFor()
  const other = await signIn(app, 'cookie')
  const list = async () =>
    (await app.inject({ url: '/sign_ins', headers: other.credential })).json().data.length
  t.equal(await list(), 2)
  await page.reload()
  await page.getByText('The reload signed you out').first().waitFor()
  await eventually(async () => (await list()) === 1, 60_000)
  await page.reload()
  await page.locator('#register').waitFor()
  t.equal(await page.locator('.box').count(), 0, 'it is said once')
})
