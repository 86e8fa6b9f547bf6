import { test } from 'tap'
import { violations } from '../helpers/accessibility.js'
import { openWindow, signInOn, startChromium } from '../helpers/chromium.js'
import { enrolTotp } from '../helpers/factor-center.js'
import { signIn, USER } from '../helpers/http.js'
import { ADDRESS, confirmAddress, FROM, tokenIn } from '../helpers/mail-center.js'
import { startMailServer } from '../helpers/mail-server.js'
import { openWithPasskeys, startNamedSite } from '../helpers/passkey-browser.js'

const NEXT = 'three quiet ravens'

test('a forgotten password, in a browser', async (t) => {
  const browser = await startChromium(t)
  const mailServer = await startMailServer(t)
  const { app, clock, origin } = await startNamedSite(t, { MAIL_URL: mailServer.url, MAIL_FROM: FROM })
  await confirmAddress({ app, mailServer })
  /** The token of the next link. The notices of changes may come first. */
  const nextToken = async () => {
    let text = ''
    while (!text.includes('#reset=')) text = (await mailServer.next()).text
    return tokenIn(text)
  }

  await t.test('the link of the mail sets a new password, and its token leaves the address', async (t) => {
    const { page, complaints } = await openWindow(t, browser, { bypassCSP: true })
    await page.goto(origin)
    await page.getByRole('link', { name: 'Forgotten your password?' }).click()
    await page.locator('#ask-form').waitFor()
    t.same(await violations(page), [], 'the question')
    await page.locator('#send').click()
    await page.locator('.box.bad[data-code=ONE_OF_TWO]').waitFor()
    t.same(await violations(page), [], 'with a failure')
    await page.locator('#username').fill('user1')
    await page.locator('#send').click()
    await page.locator('.box.good').waitFor()
    t.same(await violations(page), [], 'the mail is sent')
    const mail = await mailServer.next()
    t.same(mail.to, [ADDRESS])
    await page.goto(`${origin}/forgotten#reset=${tokenIn(mail.text)}`)
    await page.locator('#reset-form').waitFor()
    t.equal(await page.evaluate('location.href'), `${origin}/forgotten`)
    t.same(await violations(page), [], 'the new password')
    await page.locator('#new-password').fill('user1')
    await page.locator('#set').click()
    await page.locator('.box.bad[data-code=PASSWORD_REFUSED]').waitFor()
    await page.locator('#new-password').fill(NEXT)
    await page.locator('#set').click()
    await page.locator('.box.good').waitFor()
    t.equal(await page.evaluate('document.activeElement.id'), 'title')
    t.same(await violations(page), [], 'it is set')
    await page.getByRole('link', { name: 'Sign in' }).click()
    await signInOn(page, 'session', { ...USER, password: NEXT })
    t.same(complaints, [])
  })

  await t.test('in Chinese, a link that is not valid says so, and leads to a new mail', async (t) => {
    const { page } = await openWindow(t, browser, { locale: 'zh-CN', bypassCSP: true })
    await page.goto(`${origin}/forgotten#reset=${'A'.repeat(22)}`)
    await page.getByRole('heading', { name: '设置新密码' }).waitFor()
    await page.locator('#new-password').fill(NEXT)
    await page.locator('#set').click()
    await page.locator('.box.bad[data-code=RESET_REFUSED]').waitFor()
    t.match(await page.locator('.box.bad').textContent(), '链接只能使用一次')
    t.same(await violations(page), [])
    await page.locator('#again').click()
    await page.locator('#email').fill(ADDRESS)
    await page.locator('#send').click()
    await page.getByText('邮件正在发送中').first().waitFor()
    t.match((await mailServer.next()).text, /Your password was changed/, 'the notice of the first reset')
    t.match((await mailServer.next()).text, /请求重置密码[\s\S]*forgotten#reset=/)
  })

  await t.test('the second factor of the account is asked for, too', async (t) => {
    const { credential } = await signIn(app, 'cookie', { ...USER, password: NEXT })
    const totp = await enrolTotp({ app, clock }, credential)
    await app.accountMail.forget({ username: 'user1' }, 'en')
    const { page, complaints } = await openWindow(t, browser, { bypassCSP: true })
    await page.goto(`${origin}/forgotten#reset=${await nextToken()}`)
    await page.locator('#new-password').fill('four quiet ravens')
    await page.locator('#set').click()
    await page.locator('#proof').waitFor()
    t.same(await violations(page), [], 'the factor')
    await page.locator('#proof').fill('000000')
    await page.locator('#give-proof').click()
    await page.locator('.box.bad[data-code=FACTOR_REFUSED]').waitFor()
    t.same(await violations(page), [], 'with a failure')
    await page.locator('#proof').fill(totp.next())
    await page.locator('#give-proof').click()
    await page.locator('.box.good').waitFor()
    t.equal(await page.evaluate('document.activeElement.id'), 'title')
    t.same(complaints, [])
  })
  await t.test('a passkey is that factor as well', async (t) => {
    const who = { username: 'keeper', password: 'a long enough one' }
    await app.accounts.create({ ...who, role: 'user' })
    await confirmAddress({ app, mailServer }, 'keeper@mail.example', who)
    const { page, complaints, authenticator } = await openWithPasskeys(t, browser, { bypassCSP: true })
    await page.goto(origin)
    await signInOn(page, 'cookie', who)
    await page.locator('#add-passkey').click()
    await page.locator('#codes-title').waitFor()
    await app.accountMail.forget({ username: who.username }, 'en')
    await page.goto(`${origin}/forgotten#reset=${await nextToken()}`)
    await page.locator('#new-password').fill(NEXT)
    await page.locator('#set').click()
    await authenticator.verify(false)
    await page.locator('#give-passkey').click()
    await page.locator('.box.bad[data-code=PASSKEY_CANCELLED]').waitFor()
    t.same(await violations(page), [], 'with a failure')
    await authenticator.verify(true)
    await page.locator('#give-passkey').click()
    await page.locator('.box.good').waitFor()
    await page.getByRole('link', { name: 'Sign in' }).click()
    await page.locator('#sign-in-button').waitFor()
    t.same(complaints, [])
  })
})
