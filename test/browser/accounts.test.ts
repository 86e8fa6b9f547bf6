import type { Page } from 'playwright-core'
import { test } from 'tap'
import { clickTwice, openWindow, signInOn, startChromium, startSite } from '../helpers/chromium.js'
import { ADMIN, post, signIn, userInfo } from '../helpers/http.js'

const NEW = 'three quiet ravens'
/** What would run where a name were taken for markup. */
const MARKUP = '"><img src=x onerror="document.title=1">'

const fill = async (page: Page, fields: Record<string, string>) => {
  for (const [id, text] of Object.entries(fields)) await page.locator(`#${id}`).fill(text)
}
const focused = (page: Page) => page.evaluate('document.activeElement.id')
const refusal = (page: Page, code: string) => page.locator(`.box.bad[data-code=${code}]`)

test('accounts, in a browser', async (t) => {
  const browser = await startChromium(t)
  const { app, origin } = await startSite(t)

  await t.test('somebody registers, is told what is wrong, and signs in', async (t) => {
    const { page, complaints } = await openWindow(t, browser)
    await page.goto(origin)
    await page.locator('#register-summary').click()
    const send = () => page.locator('#register-button').click()
    await send()
    await refusal(page, 'INCOMPLETE').waitFor()
    t.equal(await focused(page), 'new-username', 'the focus is where something is missing')
    for (const [name, password, code, id] of [
      ['user1', NEW, 'USERNAME_TAKEN', 'new-username'],
      ['Zoë', 'password', 'PASSWORD_REFUSED', 'register-password'],
    ] as const) {
      await fill(page, { 'new-username': name, 'register-password': password })
      await send()
      await refusal(page, code).waitFor()
      t.equal(await page.locator('[aria-invalid=true]').getAttribute('id'), id, code)
      t.match(await page.locator(`#${id}`).getAttribute('aria-describedby'), /^register-failure/)
    }
    await fill(page, { 'register-password': NEW, username: 'user1', password: 'user123' })
    await send()
    await page.getByText('Created account Zoë.').first().waitFor()
    t.equal(await page.locator('#username').inputValue(), 'Zoë', 'the name need not be typed again')
    t.equal(await focused(page), 'password')
    t.equal(await page.locator('#password').inputValue(), '', 'another account’s password goes')
    await signInOn(page, 'session', { username: 'Zoë', password: NEW })
    t.equal(await page.locator('#title').textContent(), 'Signed in as Zoë')
    t.same(complaints, [])
  })

  await t.test('where nobody can register there is no form for it', async (t) => {
    const closed = await startSite(t, { REGISTRATION: 'closed' })
    const { page } = await openWindow(t, browser)
    await page.goto(closed.origin)
    await page.locator('main:not([aria-busy])').waitFor()
    t.equal(await page.locator('#register').count(), 0)
  })

  await t.test('a changed password ends the other sign-ins, and not this one', async (t) => {
    const who = { username: 'Zoë', password: NEW }
    const elsewhere = await signIn(app, 'cookie', who)
    const { page, complaints } = await openWindow(t, browser)
    await page.goto(origin)
    await signInOn(page, 'token', who)
    const send = () => page.locator('#change-password').click()
    await send()
    await refusal(page, 'INCOMPLETE').waitFor()
    t.equal(await focused(page), 'current-password')
    for (const [current, next, code, id] of [
      ['wrong', 'seven loud herons', 'CREDENTIALS_REFUSED', 'current-password'],
      [NEW, 'short', 'PASSWORD_REFUSED', 'new-password'],
    ] as const) {
      await fill(page, { 'current-password': current, 'new-password': next })
      await send()
      await refusal(page, code).waitFor()
      t.equal(await page.locator('[aria-invalid=true]').getAttribute('id'), id, code)
    }
    await fill(page, { 'new-password': 'seven loud herons' })
    await send()
    await page.locator('#password-panel .box.good').waitFor()
    t.equal(await page.locator('#current-password').inputValue(), '', 'neither password stays there')
    await page.locator('.device').nth(1).waitFor({ state: 'detached' })
    t.equal(await page.locator('.device').count(), 1)
    t.match((await userInfo(app, elsewhere.credential)).json(), { code: 403, error: 'SIGNED_OUT' })
    t.equal((await post(app, '/login_cookie', who)).statusCode, 401, 'the old one is no more')
    t.same(complaints, [])
  })

  await t.test('an administrator finds accounts, and changes them', async (t) => {
    await post(app, '/register', { username: MARKUP, password: NEW })
    const { credential } = await signIn(app, 'cookie')
    const { page, complaints } = await openWindow(t, browser)
    await page.goto(origin)
    await signInOn(page, 'session', ADMIN)
    const rows = page.locator('.account')
    const names = page.locator('.account .name')
    await rows.first().waitFor()
    t.same((await names.allTextContents()).sort(), [MARKUP, 'Zoë', 'admin', 'user1'].sort())
    const own = rows.filter({ has: page.getByText('You', { exact: true }) })
    const buttons = await own.locator('button').evaluateAll((all) => all.map(({ id }) => id))
    t.same(buttons, ['show-admin'], 'nobody locks themselves out by a slip')

    await page.locator('#find').fill('USER')
    await page.keyboard.press('Enter')
    await page.getByText('1 account is shown.').first().waitFor()
    t.same(await names.allTextContents(), ['user1'])

    const row = rows.filter({ hasText: 'user1' })
    await clickTwice(page, 'end-of-user1')
    await page.getByText('Ended 1 sign-in of user1.').first().waitFor()
    t.match((await userInfo(app, credential)).json(), { code: 403, error: 'SIGNED_OUT' })

    await clickTwice(page, 'role-user1')
    await row.getByText('Administrator').first().waitFor()
    t.same(await names.allTextContents(), ['user1'], 'the list stays as it was searched')
    t.equal(await focused(page), 'role-user1', 'and the focus')
    await clickTwice(page, 'role-user1')
    await row.getByText('User ·').waitFor()

    await clickTwice(page, 'disable-user1')
    await row.locator('.badge.off').waitFor()
    t.equal((await post(app, '/login_cookie', { username: 'user1', password: 'user123' })).statusCode, 401)
    await page.locator('#disable-user1').click()
    await row.locator('.badge.off').waitFor({ state: 'detached' })

    await page.locator('#find').fill('nobody')
    await page.locator('#find-button').click()
    await page.getByText('No name begins with “nobody”.').first().waitFor()
    t.equal(await rows.count(), 0)
    t.same(complaints, [])
  })

  await t.test('an action repaints the page twice, and of a list only what has changed', async (t) => {
    const { page, complaints } = await openWindow(t, browser)
    await page.goto(origin)
    await signInOn(page, 'session', ADMIN)
    await page.locator('html:not([data-busy]) #disable-user1').click()
    await page.locator('#disable-user1-no').waitFor()
    await page.evaluate(`(() => {
      window.rows = ['admin', 'user1'].map((name) => document.getElementById('show-' + name).closest('li'))
      window.repaints = 0
      // Each repaint says whether the page is busy.
      const count = (changes) => { window.repaints += changes.length }
      new MutationObserver(count).observe(document.getElementById('find-button'), { attributes: true })
    })()`)
    await page.locator('#disable-user1-yes').click()
    await page.getByText('Updated account user1').first().waitFor()
    await page.locator('html:not([data-busy])').waitFor({ state: 'attached' })
    t.equal(await page.evaluate('window.repaints'), 2)
    t.same(await page.evaluate('window.rows.map((row) => row.isConnected)'), [true, false])
    t.equal(await focused(page), 'disable-user1', 'the focus stays')
    await page.locator('#disable-user1').click()
    await page.locator('.badge.off').waitFor({ state: 'detached' })
    t.same(complaints, [])
  })

  await t.test('who is no administrator sees no accounts; who came with markup is only named', async (t) => {
    const agent = `<script>document.title=1</script>${MARKUP}`
    await signIn(app, 'token', { username: MARKUP, password: NEW }, { 'user-agent': agent })
    const { page, complaints } = await openWindow(t, browser)
    await page.goto(origin)
    await signInOn(page, 'token', { username: MARKUP, password: NEW })
    t.equal(await page.locator('#title').textContent(), `Signed in as ${MARKUP}`)
    t.equal(await page.title(), `${MARKUP} · User center`)
    t.match(await page.locator('#devices').textContent(), '<script>document.title=1</script>')
    t.match(await page.locator('#token-payload').textContent(), JSON.stringify(MARKUP))
    t.equal(await page.locator('img[src=x], body script').count(), 0)
    t.equal(await page.locator('#accounts').count(), 0)
    t.same(complaints, [])
  })
})
