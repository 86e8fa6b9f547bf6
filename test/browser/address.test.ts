import { test } from 'tap'
import { violations } from '../helpers/accessibility.js'
import { openWindow, signInOn, startChromium, startSite } from '../helpers/chromium.js'
import { codeIn, FROM, nextIn } from '../helpers/mail-center.js'
import { startMailServer } from '../helpers/mail-server.js'

test('an e-mail address, in a browser', async (t) => {
  const browser = await startChromium(t)
  const mailServer = await startMailServer(t)
  const { origin, clock } = await startSite(t, { MAIL_URL: mailServer.url, MAIL_FROM: FROM })

  for (const [way, locale] of [
    ['cookie', 'en-GB'],
    ['token', 'zh-CN'],
  ] as const) {
    await t.test(`${locale}, signed in by ${way}: the code of the mail confirms it`, async (t) => {
      const { page, complaints } = await openWindow(t, browser, { locale, bypassCSP: true })
      await page.goto(origin)
      await signInOn(page, way)
      await page.locator('#profile a[href="/address"]').click()
      await page.locator('#present').waitFor()
      t.same(await violations(page), [], 'the form')
      await page.locator('#email').fill('user1')
      await page.locator('#send').click()
      await page.locator('.box.bad[data-code=EMAIL_INVALID]').waitFor()
      t.same(await violations(page), [], 'with a failure')
      const email = `${way}@mail.example`
      await page.locator('#email').fill(email)
      await page.locator('#send').click()
      await page.locator('#code').waitFor()
      t.equal(await page.evaluate('document.activeElement.id'), 'code')
      t.same(await violations(page), [], 'the code')
      const mail = await mailServer.next()
      t.same(mail.to, [email])
      const code = codeIn(mail.text)
      await page.locator('#code').fill(code === '12345678' ? '12345679' : '12345678')
      await page.locator('#confirm').click()
      await page.locator('.box.bad[data-code=CODE_REFUSED]').waitFor()
      await page.locator('#code').fill(code)
      await page.locator('#confirm').click()
      await page.locator('#present', { hasText: email }).waitFor()
      t.equal(await page.locator('#code').count(), 0)
      t.same(await violations(page), [], 'it is confirmed')
      t.same(complaints, [])
    })
  }

  await t.test('an old sign-in proves itself in a dialog, and the code is sent', async (t) => {
    const { page, complaints } = await openWindow(t, browser, { bypassCSP: true })
    await page.goto(origin)
    await signInOn(page, 'session')
    await page.goto(`${origin}/address`)
    await page.locator('#present').waitFor()
    clock.advance(601)
    await page.locator('#email').fill('late@mail.example')
    await page.locator('#send').click()
    await page.locator('dialog[open] #proof').waitFor()
    t.same(await violations(page), [], 'the dialog')
    await page.locator('#cancel-step-up').click()
    await page.locator('.box.bad[data-code=SIGN_IN_TOO_OLD]', { hasText: 'confirm that it is you' }).waitFor()
    await page.locator('#send').click()
    await page.locator('dialog[open] #proof').fill('user123')
    await page.locator('#give-proof').click()
    await page.locator('#code').waitFor()
    t.match(await nextIn(mailServer, codeIn), /^\d{8}$/)
    t.same(complaints, [])
  })

  await t.test('nobody is signed in: the page says so', async (t) => {
    const { page, complaints } = await openWindow(t, browser)
    await page.goto(`${origin}/address`)
    await page.getByText('Sign in first.').waitFor()
    t.same(complaints, [])
  })
})
