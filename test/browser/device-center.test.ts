import { test } from 'tap'
import { credentialsIn, signInOn, startSite } from '../helpers/chromium.js'
import { openIncognito } from '../helpers/dbsc-browser.js'
import { proofOf } from '../helpers/device-app.js'
import { eventually } from '../helpers/followed.js'
import { startTlsProxy } from '../helpers/tls-proxy.js'

for (const mode of ['cookie', 'session'] as const)
  test(`the page notices nothing of its proofs: ${mode}`, async (t) => {
    const { app, clock, port } = await startSite(t, { COOKIE_SECURE: 'true' })
    const proxy = await startTlsProxy(t, port)
    const window = await openIncognito(t)
    const { page } = window
    const complaints: string[] = []
    page.on(
      'console',
      (message) => /Content Security Policy/.test(message.text()) && complaints.push(message.text()),
    )
    const isSignedIn = () => page.getByRole('heading', { level: 1, name: 'Signed in as user1' }).waitFor()
    await page.goto(proxy.origin)
    await signInOn(page, mode)
    await window.happened('bound', 'Success')
    clock.advance(80)
    await page.reload()
    await isSignedIn()
    const read = 'fetch("/sign_ins").then((answer) => answer.json()).then(({ data }) => data)'
    t.match(await page.evaluate(read), [{ auth_type: mode, bound: true }])
    await page.locator('.device.current .badge.bound').waitFor()

    await page.locator('#key-name').fill('deploy')
    await page.locator('#make-key').click()
    await page.locator('#new-key').waitFor()
    t.same(
      proxy
        .to('/api_keys')
        .filter(({ method }) => method === 'POST')
        .map(({ status }) => status),
      [307, 201],
      'a key for good wants a fresh proof',
    )

    // Its time runs out, for the browser and for the server. The server then ends the page's live connection.
    await eventually(() => app.live.open === 1)
    const before = proxy.to('/live').length
    await window.expire(proofOf(mode))
    clock.advance(20 * 60)
    const statuses = () =>
      proxy
        .to('/live')
        .slice(before)
        .map(({ status }) => status)
    await eventually(() => statuses().some((status) => status !== 0))
    t.same(statuses(), [200], 'the page has opened another one, with another proof')
    await eventually(() => app.live.open === 1)
    await isSignedIn()
    t.equal(await page.locator('.box.bad').count(), 0)
    await page.locator('#sign-out').click()
    await page.locator('#sign-in').waitFor()
    t.same(await credentialsIn(page), [])
    t.same(complaints, [])
  })
