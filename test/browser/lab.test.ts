import type { Page, Response } from 'playwright-core'
import { test } from 'tap'
import { EXPERIMENTS } from '../../routes/lab/experiments.js'
import { fitsWidth, focused, tabTo, violations } from '../helpers/accessibility.js'
import { openWindow, startChromium, startSite, takePicture, untilTrue } from '../helpers/chromium.js'

const isRun = (response: Response) =>
  response.request().method() === 'POST' && response.url().includes('/lab/experiments/')

/** Does something that runs an experiment. @returns what the server said, and what the page sent */
async function ran(page: Page, act: () => Promise<void>): Promise<{ verdict: string; sent: unknown }> {
  const [response] = await Promise.all([page.waitForResponse(isRun), act()])
  const { data } = await response.json()
  await page.locator('#verdict', { hasText: data.verdict }).waitFor()
  return { verdict: data.verdict, sent: response.request().postDataJSON() }
}

/** Chooses the first prediction and runs the experiment of the page. */
async function runFirst(page: Page) {
  // The label covers its whole card.
  await page.locator('.predictions label').first().click()
  return ran(page, () => page.locator('#run').click())
}

const phone = { width: 320, height: 740 }
const SCREENS = [
  { language: 'en', turn: 0, options: {} },
  { language: 'zh', turn: 1, options: { locale: 'zh-CN', colorScheme: 'dark', viewport: phone } },
] as const

test('the lab in a browser', async (t) => {
  const browser = await startChromium(t)
  const { origin } = await startSite(t)

  for (const { language, turn, options } of SCREENS) {
    await t.test(`every experiment runs, in ${language}`, async (t) => {
      // Its own policy would keep axe out. The other tests show that the policy holds.
      const { page, complaints } = await openWindow(t, browser, { ...options, bypassCSP: true })
      await page.goto(`${origin}/lab`)
      await page.locator('#experiments a').first().waitFor()
      t.equal(await page.locator('#experiments a').count(), EXPERIMENTS.length)
      t.same(await violations(page), [], 'the list')
      t.ok(await fitsWidth(page))
      for (const [index, { name, title, predictions }] of EXPERIMENTS.entries()) {
        await page.locator(`#experiments a[href="#${name}"]`).click()
        await page.locator('#title', { hasText: title[language] }).waitFor()
        const { verdict } = await runFirst(page)
        t.equal(await page.locator('#verdict').textContent(), verdict, name)
        t.equal(await page.locator('#expected').textContent(), predictions[0]?.text[language])
        await page.locator('#raw-0 summary').click()
        // It takes most of the time, so each experiment has it on one of the screens.
        if (index % 2 === turn) t.same(await violations(page), [], name)
        t.ok(await fitsWidth(page), `${name}: nothing sticks out`)
        await page.locator('#all').click()
      }
      await page.locator('#claims-link').click()
      await page.locator('#claims').waitFor()
      const unseen = page.locator('#claims li').filter({ hasNot: page.locator('a') })
      t.equal(await unseen.count(), 0, 'each claim has its experiment')
      t.same(await violations(page), [], 'the claims')
      t.ok(await fitsWidth(page))
      t.same(complaints, [])
    })
  }

  await t.test('the keyboard is enough, and the focus goes where something is new', async (t) => {
    const { page, complaints } = await openWindow(t, browser)
    await page.goto(origin)
    await page.locator('a[href="/lab"]').click()
    const first = page.locator('#experiments a').first()
    await first.focus()
    await page.keyboard.press('Enter')
    await page.locator('#question').waitFor()
    t.equal(await focused(page), 'title')
    await tabTo(page, 'run')
    await page.keyboard.press('Enter')
    await page.locator('#no-prediction').waitFor()
    t.equal(await focused(page), 'prediction-yes', 'the prediction comes first')
    await page.keyboard.press('Space')
    await tabTo(page, 'run')
    await ran(page, () => page.keyboard.press('Enter'))
    t.equal(await focused(page), 'result')
    t.equal(await page.locator('#result').textContent(), 'The result is not what you expected.')
    t.equal(await page.locator('#happened').textContent(), 'No, the requests are equal.')
    t.match(await page.locator('#compare .lead').textContent(), 'The two steps are equal.')
    await untilTrue(page, 'document.getElementById("status").textContent !== ""')
    await page.goBack()
    await page.locator('#experiments').waitFor()
    t.equal(await focused(page), 'title')
    await page.goForward()
    await page.locator('#question').waitFor()
    t.equal(new URL(page.url()).hash, '#two-strangers', 'each experiment has its address')
    t.same(complaints, [])
  })

  await t.test('the language changes in place, with the outcome', async (t) => {
    const { page } = await openWindow(t, browser)
    await page.goto(`${origin}/lab#two-strangers`)
    await runFirst(page)
    await ran(page, () => page.locator('#language-zh').click())
    t.equal(await page.locator('#title').textContent(), '两个陌生人')
    t.equal(await page.evaluate('document.documentElement.lang'), 'zh-CN')
    t.ok(await page.locator('#prediction-yes').isChecked(), 'the prediction is kept')
    t.equal(await focused(page), 'language-zh', 'and the focus')
  })

  await t.test('a changed character of the credential is sent by its position', async (t) => {
    const { page, complaints } = await openWindow(t, browser, { viewport: { width: 1280, height: 880 } })
    await page.goto(`${origin}/lab#read-without-a-key`)
    await runFirst(page)
    await page.evaluate('document.querySelector(".result").scrollIntoView()')
    await takePicture(page, 'lab')
    const credential = await page.locator('#credential').inputValue()
    await tabTo(page, 'credential')
    await page.keyboard.press('Control+Home')
    await page.keyboard.press('Shift+ArrowRight')
    await page.keyboard.type('~')
    await tabTo(page, 'send-edited')
    const { sent } = await ran(page, () => page.keyboard.press('Enter'))
    t.match(sent, { edit: { at: 0, to: '~' } })
    t.equal(await focused(page), 'result')
    const rows = page.locator('#compare tr').filter({ hasText: 'cookie: identity' })
    t.same(await rows.locator('mark').allTextContents(), [credential[0], '~'], 'only that is marked')
    const { edit } = Object(sent)
    t.same(
      Object((await ran(page, () => page.locator('#language-zh').click())).sent).edit,
      edit,
      'also in Chinese',
    )
    await page.locator('#credential').press('End')
    await page.keyboard.type('xy')
    await page.locator('#send-edited').click()
    await page.locator('#not-one-character').waitFor()
    t.equal(await focused(page), 'credential')
    t.equal(await page.locator('#credential').getAttribute('aria-invalid'), 'true')
    t.match(await page.locator('#credential').inputValue(), /xy/, 'what was typed is kept')
    await page.locator('#choice-mode').selectOption('session')
    t.equal(await page.locator('#verdict').count(), 0, 'the outcome of another option is gone')
    const chosen = await ran(page, () => page.locator('#run').click())
    t.same(chosen.sent, { choices: { mode: 'session' } })
    t.same(complaints, [])
  })

  await t.test('the script is copied', async (t) => {
    const { page } = await openWindow(t, browser, { permissions: ['clipboard-read', 'clipboard-write'] })
    await page.goto(`${origin}/lab#two-strangers`)
    await runFirst(page)
    await page.locator('#copy').click()
    await untilTrue(page, 'document.getElementById("status").textContent.includes("copied")')
    const copied = await page.evaluate<string>('navigator.clipboard.readText()')
    t.equal(copied.trimEnd(), await page.locator('#script').textContent())
  })

  await t.test('a failure is said in its place', async (t) => {
    const { page } = await openWindow(t, browser)
    await page.goto(`${origin}/lab#no-such-experiment`)
    await page.locator('#unknown').waitFor()
    await page.route('**/lab/experiments', (route) => route.abort())
    await page.reload()
    await page.locator('#fault').waitFor()
    await page.unroute('**/lab/experiments')
    await page.locator('#again').click()
    await page.locator('#experiments a').first().click()
    await page.route('**/lab/experiments/*', (route) =>
      route.fulfill({ status: 503, json: { code: 503, msg: 'Too many at once.', error: 'BUSY' } }),
    )
    await page.locator('label[for=prediction-no]').click()
    await page.locator('#run').click()
    t.match(await page.locator('#fault').textContent(), /Too many at once\..*BUSY/)
    t.equal(await focused(page), 'run')
  })
})
