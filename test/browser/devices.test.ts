import { test } from 'tap'
import {
  clickTwice,
  credentialsIn,
  openWindow,
  signInOn,
  startChromium,
  startSite,
} from '../helpers/chromium.js'

test('sign-ins in more than one browser', async (t) => {
  const browser = await startChromium(t)
  const { origin, clock } = await startSite(t)

  await t.test('"sign out everywhere else" is seen from the other browser', async (t) => {
    const here = await openWindow(t, browser)
    const there = await openWindow(t, browser)
    for (const { page } of [here, there]) await page.goto(origin)
    await signInOn(there.page, 'token')
    await signInOn(here.page, 'session')
    t.equal(await here.page.locator('.device').count(), 2)
    await clickTwice(here.page, 'end-others')
    await here.page.getByText('Ended 1 sign-in.').first().waitFor()
    t.equal(await here.page.locator('.device').count(), 1)
    t.equal(await here.page.evaluate('document.activeElement.id'), 'devices-title')
    await there.page.locator('.box.bad[data-code=SIGNED_OUT]').waitFor()
    t.ok(await there.page.locator('#sign-in').isVisible(), 'back at the form, which says why')
    t.equal(await there.page.evaluate('document.activeElement.id'), 'title')
    await here.page.locator('#reload-devices').click()
    t.ok(await here.page.locator('#recognised').isVisible(), 'this one lives on')
    t.same([...here.complaints, ...there.complaints], [])
    await clickTwice(here.page, 'end-all')
    await here.page.locator('#sign-in').waitFor()
    t.same(await credentialsIn(here.page), [])
  })

  await t.test('cookies are stored with the attributes that the inspector explains', async (t) => {
    for (const [way, remember] of [
      ['cookie', false],
      ['session', false],
      ['session', true],
    ] as const) {
      const { page } = await openWindow(t, browser)
      await page.goto(origin)
      await signInOn(page, way, { remember })
      const [cookie] = await credentialsIn(page)
      const name = way === 'cookie' ? 'identity' : 'session'
      const kept = { name, domain: '127.0.0.1', path: '/', httpOnly: true, secure: false, sameSite: 'Lax' }
      t.match(cookie, kept)
      const age = way === 'cookie' ? 3600 : remember ? 604_800 : null
      if (age === null) t.equal(cookie?.expires, -1, 'it ends with the browser')
      else t.ok(Math.abs((cookie?.expires ?? 0) - Date.now() / 1000 - age) < 120)
      await page.locator('#attributes dt').first().waitFor()
      const told = await page.locator('#attributes dt').allTextContents()
      t.same(told, [
        name,
        'HttpOnly',
        'SameSite=Lax',
        'Path=/',
        'Secure not set',
        age === null ? 'Max-Age not set' : `Max-Age=${age}`,
      ])
      t.match(await page.locator('#script-sees').textContent(), /nothing$/)
    }
  })

  await t.test('an access token that expires is refreshed, and the page shows that', async (t) => {
    const { page, complaints } = await openWindow(t, browser)
    await page.clock.install()
    await page.goto(origin)
    await signInOn(page, 'token')
    const token = page.locator('#token-payload')
    const before = await token.textContent()
    t.match(before, /"fastify-identity"/)
    await page.clock.runFor(60_000)
    t.match(await page.locator('#expiry').textContent(), /^1[34]:\d\d$/, 'it counts down')
    // The live connection ends with the token, and the client opens it again with a new one.
    clock.advance(901)
    await page.getByText('Refreshed 1 time.').waitFor()
    t.not(await token.textContent(), before)
    clock.advance(901)
    await page.locator('#reload-devices').click()
    await page.getByText('Refreshed 2 times.').waitFor()
    t.ok(await page.locator('.device.current').isVisible(), 'a call that needs a new one gets it by itself')
    await page.reload()
    await page.locator('#recognised[data-mode=token]').waitFor()
    t.same(complaints, [])
  })
})
