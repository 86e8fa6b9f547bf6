import { test } from 'tap'
import { fitsWidth, violations } from '../helpers/accessibility.js'
import { clickTwice, openWindow, signInOn, startChromium, untilTrue } from '../helpers/chromium.js'
import { codeAt } from '../helpers/factor-center.js'
import {
  addApp,
  giveCode,
  givePassword,
  PASSWORD,
  person,
  signedIn,
  signOut,
} from '../helpers/factor-page.js'
import { MODES } from '../helpers/http.js'
import { startNamedSite } from '../helpers/passkey-browser.js'

test('second factors, in a browser', async (t) => {
  const browser = await startChromium(t)
  const { app, clock, origin } = await startNamedSite(t)
  /** A code that was not used yet. */
  const nextCode = (secret: string) => {
    clock.advance(30)
    return codeAt(secret, clock())
  }

  for (const [way, locale] of [
    ['cookie', 'en-GB'],
    ['session', 'zh-CN'],
    ['token', 'en-GB'],
  ] as const) {
    await t.test(`${way}, ${locale}: an authenticator app, and a recovery code in its place`, async (t) => {
      const { page, complaints } = await openWindow(t, browser, { locale, bypassCSP: true })
      const who = await person(app, `app ${way}`)
      await page.goto(origin)
      await signInOn(page, way, who)
      await page.locator('#factors').waitFor()
      t.same(await violations(page), [], 'no factor')
      await page.locator('#add-totp').click()
      await page.locator('.qr').waitFor()
      t.same(await violations(page), [], 'the picture')
      await untilTrue(page, 'document.querySelector(".qr").naturalWidth > 0')
      await page.locator('#totp-code').fill('000000')
      await page.locator('#confirm-totp').click()
      await page.locator('#factors-failure[data-code=FACTOR_REFUSED]').waitFor()
      t.same(await violations(page), [], 'a wrong code')
      await page.locator('#cancel-totp').click()
      const { secret, codes } = await addApp(page, clock())
      t.equal(codes.length, 10)
      t.equal(new Set(codes).size, 10)
      t.same(await violations(page), [], 'the codes')
      t.ok(await fitsWidth(page))
      await page.locator('#hide-codes').click()
      t.equal(await page.locator('#codes').count(), 0)
      t.equal(await page.locator('.factor').count(), 2)
      await signOut(page)

      await givePassword(page, way, who.username)
      t.equal(await page.evaluate('document.activeElement.id'), 'proof')
      t.same(await violations(page), [], 'the second step')
      t.match(await page.locator('#proof').getAttribute('autocomplete'), 'one-time-code')
      await giveCode(page, '000000')
      await page.locator('#second-step-failure[data-code=FACTOR_REFUSED]').waitFor()
      t.same(await violations(page), [], 'with a failure')
      const code = nextCode(secret)
      await giveCode(page, `${code.slice(0, 3)} ${code.slice(3)}`)
      await signedIn(page, way)
      await page.locator('.device.current .factors').waitFor()
      t.match(
        await page.locator('.device.current .factors').textContent(),
        /(password \+ app code|密码 \+ 应用验证码)/,
      )
      await page.reload()
      await signedIn(page, way)
      await signOut(page)

      await givePassword(page, way, who.username)
      await page.locator('#prove-recovery_code').click()
      await giveCode(page, codes[0] ?? '')
      await signedIn(page, way)
      await page.locator('.factor[data-kind=recovery_code]').getByText(/9/).first().waitFor()
      t.same(complaints, [])
    })
  }

  await t.test('five wrong codes, and the time that passes, lead back to the form', async (t) => {
    const { page, complaints } = await openWindow(t, browser)
    const who = await person(app, 'wrong')
    await page.clock.install()
    await page.goto(origin)
    await signInOn(page, 'cookie', who)
    await addApp(page, clock())
    await signOut(page)
    await givePassword(page, 'cookie', who.username)
    for (let tries = 1; tries < 5; tries += 1) {
      await giveCode(page, `00000${tries}`)
      await page.locator('#second-step-failure').waitFor()
      await page.locator('#proof').fill('')
    }
    await giveCode(page, '000005')
    await page.locator('#sign-in').getByText('Too many wrong codes.').waitFor()
    t.equal(await page.evaluate('document.activeElement.id'), 'password')
    t.equal(await page.locator('#username').inputValue(), who.username)
    await page.locator('#password').fill(PASSWORD)
    await page.locator('#sign-in-button').click()
    await page.locator('#second-step').waitFor()
    await page.locator('#cancel-second').click()
    await givePassword(page, 'cookie', who.username)
    await page.clock.fastForward(299_000)
    t.ok(await page.locator('#second-step').isVisible())
    await page.clock.fastForward(2000)
    await page.locator('#sign-in').getByText('The second step took too long.').waitFor()
    t.equal(await page.evaluate('document.activeElement.id'), 'password')
    t.same(complaints, [])
  })

  for (const way of MODES) {
    await t.test(`${way}: an old sign-in proves itself in a dialog, and the action goes on`, async (t) => {
      const { page, complaints } = await openWindow(t, browser, { bypassCSP: true })
      const who = await person(app, `old ${way}`)
      await page.goto(origin)
      await signInOn(page, way, who)
      const { secret } = await addApp(page, clock())
      await page.locator('#hide-codes').click()
      // A sign-in by the password alone is not enough any more, however recent it is.
      await clickTwice(page, 'new-codes')
      await page.locator('dialog[open] #proof').waitFor()
      t.same(await violations(page), [], 'the dialog')
      await page.locator('#cancel-step-up').click()
      await page.locator('#factors-failure').waitFor()
      t.equal(await page.locator('dialog').count(), 0)
      t.equal(await page.locator('#codes').count(), 0, 'nothing was done')
      await clickTwice(page, 'new-codes')
      await page.locator('dialog[open]').waitFor()
      await page.locator('#proof').fill('wrong')
      await page.locator('#give-proof').click()
      await page.locator('#step-up-failure[data-code=CREDENTIALS_REFUSED]').waitFor()
      t.same(await violations(page), [], 'with a failure')
      await page.locator('#proof').fill(PASSWORD)
      await page.locator('#give-proof').click()
      await page.locator('dialog[open]').getByText('One more proof is needed.').waitFor()
      await giveCode(page, nextCode(secret))
      await page.locator('#codes-title').waitFor()
      t.equal(await page.locator('.code-list li').count(), 10)
      await page.locator('#add-totp').click()
      await page.locator('#totp-code').waitFor()
      t.equal(await page.locator('dialog').count(), 0, 'it is recent now')
      await page.reload()
      await signedIn(page, way)
      t.same(complaints, [])
    })
  }

  await t.test('an administrator takes the factors of somebody who has lost them', async (t) => {
    const { page: lost } = await openWindow(t, browser)
    const who = await person(app, 'lost')
    await lost.goto(origin)
    await signInOn(lost, 'session', who)
    await addApp(lost, clock())
    const { page, complaints } = await openWindow(t, browser, { bypassCSP: true })
    await page.goto(origin)
    await signInOn(page, 'cookie', { username: 'admin', password: 'admin123' })
    await page.locator('#find').fill(who.username)
    await page.locator('#find-button').click()
    await page.locator(`#show-${who.username}`).click()
    await clickTwice(page, `reset-factors-${who.username}`)
    await page.locator('#accounts .box.good').waitFor()
    t.same(await violations(page), [])
    await lost.locator('#sign-in-button').waitFor()
    await signInOn(lost, 'session', who)
    t.equal(await lost.locator('.factor').count(), 0)
    t.same(complaints, [])
  })
})
