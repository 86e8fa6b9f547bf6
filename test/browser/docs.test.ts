import { test } from 'tap'
import { openWindow, startChromium, startSite } from '../helpers/chromium.js'

test('the API can be tried out in a browser, under its strict policy', async (t) => {
  const browser = await startChromium(t)
  const { origin } = await startSite(t)
  const { page, complaints } = await openWindow(t, browser)
  const foreign: string[] = []
  page.on('request', (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) foreign.push(request.url())
  })
  await page.goto(`${origin}/docs`)
  const tried = async (id: string) => {
    const operation = page.locator(`[id$="-${id}"]`)
    await operation.locator('.opblock-summary').click()
    await operation.locator('.try-out__btn').click()
    await operation.locator('.execute').click()
    return operation.locator('.live-responses-table .highlight-code').first().textContent()
  }
  t.match(await tried('loginBySession'), /"auth_type": "session"/, 'the example that it fills in works')
  t.match(await tried('userInfo'), /"username": "user1"/, 'and the browser sends the cookie')
  t.equal(await page.title(), 'API documentation · User center')
  t.equal(await page.locator('html.dark-mode').count(), 0)
  await page.emulateMedia({ colorScheme: 'dark' })
  // It follows the browser.
  await page.locator('html.dark-mode').waitFor()
  await page.locator('#back').click()
  await page.waitForURL(`${origin}/`)
  t.same(complaints, [], 'the policy refuses nothing that it needs')
  t.same(foreign, [], 'and nothing comes from elsewhere')
})
