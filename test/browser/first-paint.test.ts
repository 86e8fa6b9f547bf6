import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Page, Route } from 'playwright-core'
import { test } from 'tap'
import { openWindow, startChromium, startSite } from '../helpers/chromium.js'

/** In bytes, with the headers. */
const BUDGET = 25_000

/** The texts that a page shows, in their order. */
const textsOf = (page: Page): Promise<string[]> =>
  page.evaluate(`(() => {
    const shown = (node) => {
      if (node.nodeName === 'NOSCRIPT') return []
      if (node.nodeType === Node.TEXT_NODE) return [node.data.trim()]
      return [...node.childNodes].flatMap(shown)
    }
    return [document.title, ...shown(document.body)].filter((text) => text !== '')
  })()`)

interface Served {
  readonly url: string
  readonly status: number
  /** With the headers. */
  readonly bytes: number
}

/** What the server answers for files from now on. */
function watchFiles({ server }: FastifyInstance): Served[] {
  const served: Served[] = []
  // Before Fastify answers.
  server.prependListener('request', ({ url = '', socket }: IncomingMessage, response: ServerResponse) => {
    if (!/^\/(\?|page\/|favicon|$)/.test(url)) return
    const before = socket.bytesWritten
    response.once('finish', () =>
      served.push({ url, status: response.statusCode, bytes: socket.bytesWritten - before }),
    )
  })
  return served
}

const ready = (page: Page) => page.locator('main:not([aria-busy]) #sign-in-button').waitFor()

test('the first load of the page', async (t) => {
  const browser = await startChromium(t)
  const { app, origin } = await startSite(t)
  const served = watchFiles(app)

  for (const locale of ['en-GB', 'zh-CN']) {
    await t.test(`three files in ${locale}, and later only the HTML is asked for`, async (t) => {
      const { page, complaints } = await openWindow(t, browser, { locale })
      const from = served.length
      await page.goto(origin)
      await ready(page)
      const first = served.slice(from)
      t.equal(first.length, 3, first.map(({ url }) => url).join(' '))
      t.ok(first.every(({ status }) => status === 200))
      const bytes = first.reduce((sum, file) => sum + file.bytes, 0)
      t.ok(bytes > 10_000 && bytes <= BUDGET, `${bytes} bytes`)
      await page.reload()
      await ready(page)
      const again = served.slice(from + 3).map(({ url, status }) => `${url} ${status}`)
      t.same(again, ['/ 304'], 'all else comes from the browser’s own cache')
      t.same(complaints, [])
    })

    await t.test(`the HTML says in ${locale} what the script will say`, async (t) => {
      const { page } = await openWindow(t, browser, { locale })
      await page.route(/\/page\/main/, (route) => route.abort())
      await page.goto(origin)
      const inHtml = await textsOf(page)
      await page.unroute(/\/page\/main/)
      await page.reload()
      await ready(page)
      const painted = await textsOf(page)
      // The script can only add: what this server allows.
      let from = 0
      for (const text of inHtml) {
        const at = painted.indexOf(text, from)
        t.ok(at >= from, text)
        if (at >= from) from = at + 1
      }
      t.equal(await page.locator('html').getAttribute('lang'), locale === 'zh-CN' ? 'zh-CN' : 'en')
    })
  }

  await t.test('what somebody does before the script runs is kept', async (t) => {
    const { page, complaints } = await openWindow(t, browser)
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    await page.route(/\/page\/main/, async (route) => {
      await held
      await route.continue()
    })
    await page.goto(origin, { waitUntil: 'commit' })
    await page.locator('label[for=way-session]').click()
    await page.locator('#username').fill('user1')
    t.ok(await page.locator('#sign-in-button').isDisabled(), 'nothing can be sent yet')
    await page.locator('#password').focus()
    release()
    await ready(page)
    t.equal(await page.locator('#username').inputValue(), 'user1')
    t.ok(await page.locator('#way-session').isChecked())
    t.match(await page.locator('#inspector').textContent(), /random id/, 'the inspector follows')
    t.equal(await page.evaluate('document.activeElement.id'), 'password')
    await page.locator('#password').fill('user123')
    await page.keyboard.press('Enter')
    await page.locator('#recognised[data-mode=session]').waitFor()
    t.same(complaints, [])
  })

  await t.test('HTML of another version is loaded again', async (t) => {
    const { page } = await openWindow(t, browser)
    let loads = 0
    await page.route(`${origin}/`, async (route) => {
      loads += 1
      const response = await route.fetch()
      const body = await response.text()
      const old = body.replace(/main\.en-[\da-f]{16}/, 'main.en-0123456789abcdef')
      await route.fulfill({ response, body: loads === 1 ? old : body })
    })
    await page.goto(origin)
    await ready(page)
    t.equal(loads, 2)
  })

  await t.test('a page of another version than the server loads again after a sign-in', async (t) => {
    const { page, complaints } = await openWindow(t, browser)
    await page.goto(origin)
    await ready(page)
    // The server has other texts by now.
    let asked = 0
    const ask = async (route: Route) => {
      asked += 1
      await route.continue({ url: `${origin}/page/en-signed-in-0123ABCD.js` })
    }
    await page.route(/\/page\/en-signed-in-/, ask, { times: 1 })
    await page.locator('#username').fill('user1')
    await page.locator('#password').fill('user123')
    await page.locator('#sign-in-button').click()
    await page.locator('#recognised[data-mode=cookie]').waitFor()
    t.equal(asked, 1)
    t.same(complaints, [])
  })

  await t.test('the other language is loaded when somebody chooses it, and remembered', async (t) => {
    const { page, complaints } = await openWindow(t, browser)
    await page.goto(origin)
    await page.locator('#language-zh').click()
    await page.locator('#title', { hasText: '登录' }).waitFor()
    await page.reload()
    await page.locator('#title', { hasText: '登录' }).waitFor()
    t.equal(await page.locator('html').getAttribute('lang'), 'zh-CN')
    await page.locator('#language-en').click()
    await page.locator('#title', { hasText: 'Sign in' }).waitFor()
    t.same(complaints, [])
  })
})
