import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { Page as BrowserPage } from 'playwright-core'
import type { Test } from 'tap'
import { openWindow, startChromium } from '../../helpers/chromium.js'
import { freePort } from '../../helpers/redis-server.js'
import { textOf } from '../blocks.js'
import { type Page, portOf } from '../runners.js'

const PAGE = 'docs/recipes/single-page-app.md'
const script = (api: string) => textOf(PAGE, 'script').replace("const API = ''", `const API = '${api}'`)

/** The page on a server of its own, as a dev server or another host has it. */
function servePage(t: Test, api: string, port: number): Promise<Server> {
  const server = createServer(({ url }, answer) => {
    const isScript = url === '/app.js'
    answer.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
    answer.end(isScript ? script(api) : textOf(PAGE, 'page'))
  })
  t.teardown(() => server.close())
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}

const says = (page: BrowserPage, text: string) => page.getByRole('status').filter({ hasText: text }).waitFor()

async function fillIn(page: BrowserPage, password: string): Promise<void> {
  await page.getByLabel('Name').fill('alice')
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** A wrong password, the right one, a reload, and a sign-out. */
async function walk(t: Test, page: BrowserPage, url: string): Promise<void> {
  await page.goto(url)
  await says(page, 'Not signed in')
  await fillIn(page, 'guessed')
  await says(page, 'password')
  await fillIn(page, 'correct horse')
  await says(page, 'Signed in as alice')
  t.equal(await page.evaluate('document.cookie'), '', 'no script reads the session')
  await page.reload()
  await says(page, 'Signed in as alice')
  await page.getByRole('button', { name: 'Sign out' }).click()
  await says(page, 'Not signed in')
}

const [other, stranger] = [await freePort(), await freePort()]
const ALLOWED = `http://127.0.0.1:${other},http://localhost:${other}`

const page: Page = {
  server: {
    before: `process.env.AUTH_SECRET = 'a secret for tests, at least 32 bytes long'
process.env.APP_ORIGINS = '${ALLOWED}'`,
    check: async (t, app) => {
      const origin = `http://127.0.0.1:${portOf(app)}`
      mkdirSync('public', { recursive: true })
      writeFileSync('public/index.html', textOf(PAGE, 'page'))
      writeFileSync('public/app.js', script(''))
      for (const port of [other, stranger]) await servePage(t, origin, port)
      const { page, complaints } = await openWindow(t, await startChromium(t))
      await walk(t, page, origin)
      await walk(t, page, `http://127.0.0.1:${other}`)
      t.strictSame(complaints, [])

      await page.goto(`http://localhost:${other}`)
      await fillIn(page, 'correct horse')
      await says(page, 'Not signed in')
      t.strictSame(complaints, [], 'another site may call, but its browser keeps no cookie')

      await page.goto(`http://127.0.0.1:${stranger}`)
      const failure = await page.evaluate(
        `fetch('${origin}/api/me', { credentials: 'include' }).catch(String)`,
      )
      t.match(failure, /TypeError/, 'a stranger reads no answer')
      const refused = await fetch(`${origin}/api/login`, {
        method: 'POST',
        headers: { origin: `http://127.0.0.1:${stranger}`, 'content-type': 'application/json' },
        body: JSON.stringify({ username: 'alice', password: 'correct horse' }),
      })
      t.match(await refused.json(), { code: 'CROSS_SITE' })
      t.equal(refused.headers.get('set-cookie'), null)
    },
  },
  page: async (t) => t.pass('the block of the server opens it'),
  script: async (t) => t.pass('the block of the server runs it'),
}

export default page
