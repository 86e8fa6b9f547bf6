import { test } from 'tap'
import { violations } from '../helpers/accessibility.js'
import { clickTwice, openWindow, signInOn, startChromium } from '../helpers/chromium.js'
import { givePassword, person, signedIn, signOut } from '../helpers/factor-page.js'
import { openWithPasskeys, startNamedSite } from '../helpers/passkey-browser.js'

test('passkeys, on the page', async (t) => {
  const browser = await startChromium(t)
  const { app, clock, origin } = await startNamedSite(t)

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
      const who = await person(app, `passkey ${way}`)
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
    const who = await person(app, 'offered')
    await page.goto(origin)
    await signInOn(page, 'session', who)
    await page.locator('#add-passkey').click()
    await page.locator('#codes-title').waitFor()
    t.equal(await authenticator.count(), 1)
    // The software authenticator answers at once, as if its user had chosen the passkey in the list.
    const signingIn = page.waitForResponse((answer) => answer.url().endsWith('/login_passkey'))
    await page.locator('#sign-out').click()
    t.equal((await signingIn).status(), 200)
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
})
