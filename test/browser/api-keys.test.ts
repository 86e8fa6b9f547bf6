import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { test } from 'tap'
import { clickTwice, openWindow, signInOn, startChromium, startSite } from '../helpers/chromium.js'

const AXE = readFileSync('node_modules/axe-core/axe.min.js', 'utf8')

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  return page.evaluate<string[]>(
    'axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations.map(({ id }) => id))',
  )
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

test('API keys on the page', async (t) => {
  const browser = await startChromium(t)
  const { origin, app, clock } = await startSite(t, { API_KEY_CAP: '2' })
  const whoIs = async (key: string) => (await app.inject({ url: '/user_info', headers: bearer(key) })).json()

  await t.test('a key is made, shown once, copied, listed and ended', async (t) => {
    const permissions = ['clipboard-read', 'clipboard-write']
    const { page, complaints } = await openWindow(t, browser, { permissions })
    await page.goto(origin)
    await signInOn(page, 'session')
    await page.getByText('You have no API keys.').waitFor()
    await page.locator('#key-name').fill('nightly backup')
    await page.locator('#key-days').fill('30')
    await page.locator('#make-key').click()
    await page.locator('#new-key').waitFor()
    const key = (await page.locator('#new-key').textContent()) ?? ''
    t.match(key, /^fik_\w{16}_\w{27}_\w{6}$/)
    t.equal(await page.evaluate('document.activeElement.id'), 'new-key')
    t.equal(await page.locator('#key-name').inputValue(), '', 'the form is empty again')
    t.equal((await whoIs(key)).auth_type, 'api_key')
    await page.locator('#copy-key').click()
    await page.getByText('The key is copied.').first().waitFor()
    t.equal(await page.evaluate('navigator.clipboard.readText()'), key)
    t.match(await page.locator('.key').textContent(), /nightly backup.*read.*never used/)
    t.equal(
      await page.locator('.device .badge.api_key', { hasText: 'API key' }).count(),
      1,
      'among the sign-ins',
    )

    await page.locator('#hide-key').click()
    t.equal(await page.locator('#new-key').count(), 0)
    t.notOk((await page.content()).includes(key))
    await page.reload()
    await page.locator('.key').waitFor()
    t.notOk((await page.content()).includes(key), 'nothing brings it back')

    await page.locator('.key button').click()
    await page.getByText('You have no API keys.').waitFor()
    t.equal((await whoIs(key)).error, 'SIGNED_OUT')
    t.same(complaints, [])
  })

  await t.test('a second key replaces the first on the page, and its scopes are chosen', async (t) => {
    const { page } = await openWindow(t, browser)
    await page.goto(origin)
    await signInOn(page, 'token')
    const make = async (name: string, write: boolean) => {
      await page.locator('#key-name').fill(name)
      await page.locator('#key-write').setChecked(write)
      await page.locator('#make-key').click()
      await page.getByText(`The key ${name}`).waitFor()
      return (await page.locator('#new-key').textContent()) ?? ''
    }
    const [one, two] = [await make('one', false), await make('two', true)]
    t.not(one, two)
    t.match(await page.locator('.key', { hasText: 'two' }).textContent(), /read.*write/)
    t.notMatch(await page.locator('.key', { hasText: 'one' }).textContent(), /write/)

    await page.locator('#key-name').fill('three')
    await page.locator('#make-key').click()
    await page.locator('.box.bad[data-code=API_KEY_LIMIT]').waitFor()
    t.equal(await page.locator('.key').count(), 2, 'none has ended for it')
    await page.locator('#key-name').fill('')
    await page.locator('#make-key').click()
    await page.locator('.box.bad[data-code=INCOMPLETE]').waitFor()
    t.equal(await page.evaluate('document.activeElement.id'), 'key-name')

    await clickTwice(page, 'end-others')
    await page.getByText('Ended').first().waitFor()
    t.equal(await page.locator('.key').count(), 2, '"everywhere else" spares keys')
    await page.locator('#sign-out').click()
    await page.locator('#sign-in').waitFor()
    t.notOk((await page.content()).includes(two), 'a sign-out takes the key off the page')
  })

  await t.test('after ten minutes the page asks for the password, and goes on with it', async (t) => {
    const { page } = await openWindow(t, browser)
    await page.goto(origin)
    await signInOn(page, 'cookie')
    clock.advance(601)
    await page.locator('#key-name').fill('late')
    await page.locator('#make-key').click()
    await page.locator('dialog[open] #proof').waitFor()
    t.equal(await page.locator('#new-key').count(), 0, 'nothing was made')
    await page.locator('#proof').fill('user123')
    await page.locator('#give-proof').click()
    // The key is asked for again. The account has as many as it may.
    await page.locator('.box.bad[data-code=API_KEY_LIMIT]').waitFor()
  })

  await t.test('axe finds nothing with keys on the page, in English and in Chinese', async (t) => {
    const phone = { width: 320, height: 740 }
    for (const options of [{}, { colorScheme: 'dark', viewport: phone }] as const) {
      const { page, complaints } = await openWindow(t, browser, { ...options, bypassCSP: true })
      await page.goto(origin)
      await signInOn(page, 'cookie', { username: 'admin', password: 'admin123' })
      await page.locator('#key-name').fill('审计')
      await page.locator('#make-key').click()
      await page.locator('#new-key').waitFor()
      t.same(await violations(page), [])
      await page.locator('#language-zh').click()
      await page.getByText('请立即复制').waitFor()
      t.same(await violations(page), [])
      t.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), 'nothing sticks out')
      t.same(complaints, [])
    }
  })
})
