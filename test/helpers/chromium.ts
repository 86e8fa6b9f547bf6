import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { listen } from './http.js'
import { startUserCenter, type UserCenter } from './user-center.js'

const ARGUMENTS = [
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Where Debian has it. */
export const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync)
// Chromium's own sandbox does not run as root.
export const CHROMIUM_ARGUMENTS = process.getuid?.() === 0 ? [...ARGUMENTS, '--no-sandbox'] : ARGUMENTS

export interface ChromiumOptions {
  /** Whether it keeps pages for the way back, as people's browsers do; playwright has it switched off. */
  readonly backForwardCache?: boolean
  /** More of its switches. */
  readonly switches?: readonly string[]
}

async function launch({ backForwardCache = false, switches = [] }: ChromiumOptions): Promise<Browser> {
  const ignoreDefaultArgs = backForwardCache ? ['--disable-back-forward-cache'] : []
  const args = [...CHROMIUM_ARGUMENTS, ...switches]
  return chromium.launch({ executablePath: CHROMIUM, args, ignoreDefaultArgs, timeout: 120_000 })
}

/** The browsers of this process, by their options. */
const running = new Map<string, Promise<Browser>>()

async function launchOnce(options: ChromiumOptions): Promise<Browser> {
  const key = JSON.stringify(options)
  const browser = running.get(key) ?? launch(options)
  running.set(key, browser)
  if ((await browser).isConnected()) return browser
  running.delete(key)
  return launchOnce(options)
}

// The runner disconnects after the last file of the process.
process.once('disconnect', async () => {
  for (const browser of running.values()) await (await browser).close()
})

/**
 * Debian's Chromium, without a window. The test files of a process share one, because its start takes seconds. Each test
 * opens contexts of its own, and must close them.
 */
export async function startChromium(t: Test, options: ChromiumOptions = {}): Promise<Browser> {
  if (process.connected) return launchOnce(options)
  const browser = await launch(options)
  t.teardown(() => browser.close())
  return browser
}

/** A clock that runs with the browser's, and can be put forward. */
export function runningClock() {
  let ahead = 0
  const clock = () => Date.now() + ahead
  const advance = (seconds: number) => {
    ahead += seconds * 1000
  }
  return Object.assign(clock, { advance })
}

export interface Site extends UserCenter {
  readonly origin: string
  readonly port: number
}

/** The user center, listening, with the browser's time. */
export async function startSite(t: Test, env: Record<string, string> = {}): Promise<Site> {
  const center = await startUserCenter(t, env, runningClock())
  const port = await listen(center.app)
  return { ...center, port, origin: `http://127.0.0.1:${port}` }
}

/** A page, and what it complained of. */
export interface Watched {
  readonly page: Page
  /** Errors on the console and in scripts, and everything that the policy (CSP) refused. */
  readonly complaints: string[]
}

/** What Chromium itself writes when the API refuses: that is no fault of the page. */
const REFUSAL = /^Failed to load resource: the server responded with a status of (4\d\d|503)/

/** A window with cookies of its own. Whatever the page complains of is collected. */
export async function openWindow(
  t: Test,
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<Watched> {
  const context = await browser.newContext({ locale: 'en-GB', ...options })
  t.teardown(() => context.close())
  context.setDefaultTimeout(60_000)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    const text = message.text()
    if (message.type() === 'error' && !REFUSAL.test(text)) complaints.push(text)
  })
  return { page, complaints }
}

export type Way = 'cookie' | 'session' | 'token'

/** Fills in the form, sends it, and waits until the page says who is there. */
export async function signInOn(
  page: Page,
  way: Way,
  { username = 'user1', password = 'user123', remember = false } = {},
): Promise<void> {
  // The label covers its whole card.
  await page.locator(`label[for=way-${way}]`).click()
  await page.locator('#username').fill(username)
  await page.locator('#password').fill(password)
  if (remember) await page.locator('#remember').check()
  await page.locator('#sign-in-button').click()
  await page.locator(`#recognised[data-mode=${way}]`).waitFor()
  await page.locator('.device.current').waitFor()
}

/** Clicks a button that asks first, and says yes. */
export async function clickTwice(page: Page, id: string): Promise<void> {
  await page.locator(`#${id}`).click()
  await page.locator(`#${id}-yes`).click()
}

/** Where the pictures of the README go (with fonts-inter and fonts-noto-cjk they are as they should be); nowhere, unless somebody asks for new ones. */
const PICTURES = process.env.PICTURES === 'true' ? 'docs/images' : null

/** A picture of what is in the window now, where pictures are wanted. */
export async function takePicture(page: Page, name: string): Promise<void> {
  if (PICTURES === null) return
  // Away from what it would light up.
  await page.mouse.move(0, 0)
  await page.screenshot({ path: `${PICTURES}/${name}.png`, animations: 'disabled' })
}

/** The cookies that sign somebody in. The one by which the throttle knows a device stays behind, and opens nothing. */
export async function credentialsIn(page: Page) {
  const cookies = await page.context().cookies()
  return cookies.filter(({ name }) => !/^(__Host-)?device$/.test(name))
}

/**
 * Waits until an expression is true in the page. Not `page.waitForFunction`: unless it is true at once, that evaluates
 * it by a timer of the page, where the page's own policy forbids `eval`.
 */
export async function untilTrue(page: Page, expression: string): Promise<void> {
  while (!(await page.evaluate(expression))) await delay(20)
}
