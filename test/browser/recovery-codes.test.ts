import { readFile } from 'node:fs/promises'
import { test } from 'tap'
import { violations } from '../helpers/accessibility.js'
import { openWindow, signInOn, startChromium } from '../helpers/chromium.js'
import { addApp } from '../helpers/factor-page.js'
import { startNamedSite } from '../helpers/passkey-browser.js'

test('recovery codes leave the page as their owner likes', async (t) => {
  const browser = await startChromium(t)
  const { clock, origin } = await startNamedSite(t)
  const { page, complaints } = await openWindow(t, browser, { bypassCSP: true })
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin })
  // The browser of the tests has no printer.
  await page.addInitScript('window.printed = 0; window.print = () => { window.printed += 1 }')
  await page.goto(origin)
  await signInOn(page, 'session')
  const codes = (await addApp(page, clock())).codes.join('\n')

  await page.locator('#copy-codes').click()
  await page.locator('#factors').getByText('The codes are copied.').waitFor()
  t.equal(await page.evaluate('navigator.clipboard.readText()'), codes)
  t.same(await violations(page), [], 'they are copied')

  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.locator('#download-codes').click(),
  ])
  t.equal(download.suggestedFilename(), 'recovery-codes.txt')
  t.equal(await readFile(await download.path(), 'utf8'), `${codes}\n`)

  await page.locator('#print-codes').click()
  t.equal(await page.evaluate('window.printed'), 1)
  await page.emulateMedia({ media: 'print' })
  t.ok(await page.locator('.code-list').isVisible())
  t.match(await page.locator('.on-paper').innerText(), 'user1')
  for (const other of ['#sign-out', '#factors-title', '#copy-codes', '.device.current'])
    t.notOk(await page.locator(other).isVisible(), `${other} is not on paper`)
  await page.emulateMedia({ media: 'screen' })

  await page.locator('#hide-codes').click()
  t.equal(await page.locator('#codes').count(), 0)
  t.same(complaints, [])
})
