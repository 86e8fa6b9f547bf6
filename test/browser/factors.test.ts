import type { Page } from 'playwright-core'
import { test } from 'tap'
import { fitsWidth, violations } from '../helpers/accessibility.js'
import { clickTwice, openWindow, signInOn, startChromium, untilTrue } from '../helpers/chromium.js'
import { codeAt } from '../helpers/factor-center.js'
import { MODES } from '../helpers/http.js'
import { openWithPasskeys, shownSecret, startNamedSite } from '../helpers/passkey-browser.js'

const PASSWORD = 'a long enough one'

/** Gives the password, as far as the second step. */
async function givePassword(page: Page, way: string, username: string): Promise<void> {
  await page.locator(`label[for=way-${way}]`).click()
  await page.locator('#username').fill(username)
  await page.locator('#password').fill(PASSWORD)
  await page.locator('#sign-in-button').click()
  await page.locator('#second-step').waitFor()
}

async function giveCode(page: Page, code: string): Promise<void> {
  await page.locator('#proof').fill(code)
  await page.locator('#give-proof').click()
}

const signedIn = (page: Page, way: string) => page.locator(`#recognised[data-mode=${way}]`).waitFor()

async function signOut(page: Page): Promise<void> {
  await page.locator('#sign-out').click()
  await page.locator('#sign-in-button').waitFor()
}

test('second factors, in a browser', async (t) => {
  const browser = await startChromium(t)
  const { app, clock, origin } = await startNamedSite(t)
  const person = async (username: string) => {
    await app.accounts.create({ username, password: PASSWORD, role: 'user' })
    return { username, password: PASSWORD }
  }
  /** A code that was not used yet. */
  const nextCode = (secret: string) => {
    clock.advance(30)
    return codeAt(secret, clock())
  }

  /** Adds an authenticator app. @returns its secret, and the recovery codes */
  async function addApp(page: Page) {
    await page.locator('#add-totp').click()
    await page.locator('#totp-code').waitFor()
    const secret = await shownSecret(page)
    await page.locator('#totp-code').fill(codeAt(secret, clock()))
    await page.locator('#totp-name').fill('Phone')
    await page.locator('#confirm-totp').click()
    await page.locator('#codes-title').waitFor()
    return { secret, codes: await page.locator('.code-list code').allTextContents() }
  }

  for (const [way, locale] of [
    ['cookie', 'en-GB'],
    ['session', 'zh-CN'],
    ['token', 'en-GB'],
  ] as const) {
    await t.test(`${way}, ${locale}: an authenticator app, and a recovery code in its place`, async (t) => {
      const { page, complaints } = await openWindow(t, browser, { locale, bypassCSP: true })
      const who = await person(`app ${way}`)
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
      const { secret, codes } = await addApp(page)
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
    const who = await person('wrong')
    await page.goto(origin)
    await signInOn(page, 'cookie', who)
    await addApp(page)
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
    await page.locator('#sign-in-button').waitFor()
    t.same(complaints, [])
  })

  for (const way of MODES) {
    await t.test(`${way}: an old sign-in proves itself in a dialog, and the action goes on`, async (t) => {
      const { page, complaints } = await openWindow(t, browser, { bypassCSP: true })
      const who = await person(`old ${way}`)
      await page.goto(origin)
      await signInOn(page, way, who)
      const { secret } = await addApp(page)
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

  for (const [way, locale] of [
    ['cookie', 'zh-CN'],
    ['session', 'en-GB'],
    ['token', 'en-GB'],
  ] as const) {
    await t.test(`${way}, ${locale}: a passkey as second factor, and alone`, async (t) => {
      const { page, complaints, authenticator } = await openWithPasskeys(t, browser, {
        locale,
        bypassCSP: true,
      })
      const who = await person(`passkey ${way}`)
      await page.goto(origin)
      await signInOn(page, way, who)
      await authenticator.verify(false)
      await page.locator('#passkey-name').fill('Laptop')
      await page.locator('#add-passkey').click()
      await page.locator('#factors-failure[data-code=PASSKEY_CANCELLED]').waitFor()
      t.same(await violations(page), [], 'a refusal')
      await authenticator.verify(true)
      await page.locator('#add-passkey').click()
      await page.locator('#codes-title').waitFor()
      t.equal(await authenticator.count(), 1)
      await page.locator('#hide-codes').click()
      t.match(await page.locator('.factor[data-kind=passkey]').textContent(), 'Laptop')
      await signOut(page)

      await givePassword(page, way, who.username)
      await page.locator('#give-passkey').click()
      await signedIn(page, way)
      await signOut(page)

      await page.locator(`label[for=way-${way}]`).click()
      await page.locator('#passkey-button').click()
      await signedIn(page, way)
      t.match(await page.locator('#title').textContent(), who.username)
      await page.locator('.device.current .factors').waitFor()
      // A passkey alone is two factors.
      await page.locator('.factor[data-kind=passkey] button').first().click()
      await page.locator('#factor-name').fill('Notebook')
      await page.locator('#save-name').click()
      await page.locator('.factor[data-kind=passkey]').getByText('Notebook').waitFor()
      t.same(await violations(page), [], 'renamed')
      clock.advance(601)
      const remove = page.locator('.factor[data-kind=passkey] [id^=remove-]')
      const id = (await remove.getAttribute('id')) ?? ''
      await clickTwice(page, id)
      await page.locator('dialog[open] #give-passkey').click()
      await page.locator('.factor[data-kind=passkey]').waitFor({ state: 'detached' })
      await page.reload()
      await signedIn(page, way)
      t.equal(await page.locator('.factor').count(), 0, 'the codes are gone, too')
      t.same(complaints, [])
    })
  }

  await t.test('the browser offers the passkey at the username', async (t) => {
    const { page, complaints, authenticator } = await openWithPasskeys(t, browser, { hasOffers: true })
    const who = await person('offered')
    await page.goto(origin)
    await signInOn(page, 'session', who)
    await page.locator('#add-passkey').click()
    await page.locator('#codes-title').waitFor()
    t.equal(await authenticator.count(), 1)
    await page.locator('#sign-out').click()
    // The software authenticator answers at once, as if its user had chosen the passkey in the list.
    await page.locator('#recognised').waitFor()
    t.match(await page.locator('#title').textContent(), who.username)
    t.same(complaints, [])
  })

  await t.test('under an IP address, the page leads to the name', async (t) => {
    const { page, complaints } = await openWindow(t, browser)
    await page.goto(origin.replace('localhost', '127.0.0.1'))
    await page.locator(`#sign-in a[href="${origin}"]`).click()
    await page.locator('#passkey-button').waitFor()
    t.equal(new URL(page.url()).origin, origin)
    t.same(complaints, [])
  })

  await t.test('an administrator takes the factors of somebody who has lost them', async (t) => {
    const { page: lost } = await openWindow(t, browser)
    const who = await person('lost')
    await lost.goto(origin)
    await signInOn(lost, 'session', who)
    await addApp(lost)
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
