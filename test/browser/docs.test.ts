import { test } from 'tap'
import { openWindow, startChromium, startSite } from '../helpers/chromium.js'

test('the API’s documentation works under its strict policy', async (t) => {
  const browser = await startChromium(t)
  const { origin } = await startSite(t)
  const { page, complaints } = await openWindow(t, browser)
  const foreign: string[] = []
  page.on('request', (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) foreign.push(request.url())
  })
  await page.goto(`${origin}/docs`)
  await page.getByText('/user_info', { exact: true }).click()
  await page.getByRole('button', { name: 'Try it out' }).click()
  await page.getByRole('button', { name: 'Execute' }).click()
  await page.getByText('NOT_SIGNED_IN').first().waitFor()
  t.same(complaints, [], 'the policy refuses nothing that it needs')
  t.same(foreign, [], 'and nothing comes from elsewhere')
})
