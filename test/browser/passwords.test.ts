import { test } from 'tap'
import { openWindow, signInOn, startChromium, startSite } from '../helpers/chromium.js'

test('passwords on the page', async (t) => {
  const browser = await startChromium(t)
  const { origin } = await startSite(t)
  const { page, complaints } = await openWindow(t, browser)
  await page.goto(origin)

  /** Whether what is typed there is hidden, and what a password manager is told that it is. */
  const field = (id: string) =>
    page.evaluate(`(({ type, autocomplete, maxLength }) => [type, autocomplete, maxLength])(
      document.getElementById(${JSON.stringify(id)}))`)

  await t.test('their fields are masked, and say to password managers what they are for', async (t) => {
    await page.locator('#register-summary').click()
    t.same(await field('username'), ['text', 'username webauthn', -1])
    t.same(await field('password'), ['password', 'current-password', -1])
    t.same(await field('register-password'), ['password', 'new-password', -1])
    await signInOn(page, 'cookie')
    t.same(await field('current-password'), ['password', 'current-password', -1])
    t.same(await field('new-password'), ['password', 'new-password', -1])
  })

  await t.test('they may be pasted, whole', async (t) => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin })
    const pasted = `Größe 日本 ${'x'.repeat(200)}`
    await page.evaluate(`navigator.clipboard.writeText(${JSON.stringify(pasted)})`)
    for (const id of ['current-password', 'new-password']) {
      await page.locator(`#${id}`).focus()
      await page.keyboard.press('Control+V')
      t.equal(await page.locator(`#${id}`).inputValue(), pasted, id)
    }
    t.same(complaints, [])
  })
})
