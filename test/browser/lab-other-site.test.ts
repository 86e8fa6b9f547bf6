import type { Page } from 'playwright-core'
import { test } from 'tap'
import { credentialsIn, openWindow, signInOn, startChromium, startSite } from '../helpers/chromium.js'

/** The rows of a table: the first cell, and the last one. */
async function rowsOf(page: Page, table: string): Promise<Record<string, string>> {
  const rows = await page.locator(`${table} tr`).all()
  const cells = await Promise.all(rows.map((row) => row.locator('th, td').allTextContents()))
  return Object.fromEntries(cells.map((row) => [row.at(0) ?? '', row.at(-1) ?? '']))
}

test('what another site sends: SameSite and the same-origin check in a real browser', async (t) => {
  const browser = await startChromium(t)
  const { port } = await startSite(t)
  for (const [own, other] of [
    [`http://127.0.0.1:${port}`, `http://localhost:${port}`],
    [`http://localhost:${port}`, `http://127.0.0.1:${port}`],
  ] as const) {
    const { page, complaints } = await openWindow(t, browser)
    await page.goto(own)
    await signInOn(page, 'cookie')
    const signedIn = await credentialsIn(page)

    await page.goto(`${own}/lab/other-site/start`)
    t.equal(page.url(), `${other}/lab/other-site`)
    await page.locator('#post').click()
    await page.locator('#verdict').waitFor()
    t.equal(page.url(), `${own}/lab/other-site/target`)
    t.match(await page.locator('#verdict').textContent(), '403 CROSS_SITE')
    t.match(await rowsOf(page, '#request'), {
      Request: 'POST /lab/other-site/target',
      origin: other,
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
    })
    t.match(await rowsOf(page, '#cookies'), { lab_strict: 'no', lab_lax: 'no', lab_none: 'yes' })

    await page.locator('#own').click()
    await page.locator('#verdict', { hasText: 'lets this request through' }).waitFor()
    t.match(await rowsOf(page, '#request'), { origin: own, 'sec-fetch-site': 'same-origin' })
    t.match(await rowsOf(page, '#cookies'), { lab_strict: 'yes', lab_lax: 'yes', lab_none: 'yes' })

    await page.goto(`${other}/lab/other-site`)
    await page.locator('#follow').click()
    await page.locator('#verdict', { hasText: '403 CROSS_SITE' }).waitFor()
    t.match(await rowsOf(page, '#request'), { 'sec-fetch-site': 'cross-site' })
    t.match(await rowsOf(page, '#cookies'), { lab_strict: 'no', lab_lax: 'yes', lab_none: 'yes' })

    const isThrowaway = ({ name }: { name: string }) => name.startsWith('lab_')
    const after = await credentialsIn(page)
    t.same(
      after.filter((cookie) => !isThrowaway(cookie)),
      signedIn,
      'the real sign-in is untouched',
    )
    t.ok(after.filter(isThrowaway).every(({ path }) => path === '/lab/other-site'))
    t.same(complaints, [])
  }
})
