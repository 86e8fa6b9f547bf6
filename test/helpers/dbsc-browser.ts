import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, type CDPSession, chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { CHROMIUM, CHROMIUM_ARGUMENTS, startChromium } from './chromium.js'
import { eventually } from './followed.js'
import { proxyKeyHash } from './tls-proxy.js'

/** Both are needed. The keys are in software, because the machine has no security module. */
const FEATURES = 'DeviceBoundSessions,EnableBoundSessionCredentialsSoftwareKeysForManualTesting'

const trust = () => `--ignore-certificate-errors-spki-list=${proxyKeyHash()}`
const switches = () => [`--enable-features=${FEATURES}`, trust()]

/** What the browser has done about its bound sign-ins. */
export type DeviceEvent =
  | { readonly kind: 'bound' | 'ended' | 'challenge'; readonly result: string }
  | { readonly kind: 'refresh'; readonly result: string; readonly isProactive: boolean }

/** Cookies, devices' keys and one page of them. */
export interface DeviceWindow {
  readonly context: BrowserContext
  readonly page: Page
  /** In order. */
  readonly events: DeviceEvent[]
  /** Waits until something has happened so many times. */
  happened(kind: DeviceEvent['kind'], result: string, times?: number): Promise<void>
  /** Takes a cookie of the page away, as its expiry does: for that, browsers have no other clock than the machine's. */
  expire(name: string): Promise<void>
  /** Lets a cookie of the page expire so many seconds from now. */
  shorten(name: string, seconds: number): Promise<void>
}

function eventOf({
  creationEventDetails: creation,
  refreshEventDetails: refresh,
  terminationEventDetails: termination,
  challengeEventDetails: challenge,
}: Occurred): DeviceEvent {
  if (creation) return { kind: 'bound', result: creation.fetchResult }
  if (termination) return { kind: 'ended', result: termination.deletionReason }
  if (challenge) return { kind: 'challenge', result: challenge.challengeResult }
  const { refreshResult: result = '', wasFullyProactiveRefresh: isProactive = false } = refresh ?? {}
  return { kind: 'refresh', result, isProactive }
}

interface Occurred {
  readonly creationEventDetails?: { readonly fetchResult: string }
  readonly refreshEventDetails?: {
    readonly refreshResult: string
    readonly wasFullyProactiveRefresh: boolean
  }
  readonly terminationEventDetails?: { readonly deletionReason: string }
  readonly challengeEventDetails?: { readonly challengeResult: string }
}

async function shorten(session: CDPSession, cookieName: string, seconds: number): Promise<void> {
  const { cookies } = await session.send('Network.getCookies')
  const cookie = cookies.find(({ name }) => name === cookieName)
  if (!cookie) throw new Error(`the page has no cookie ${cookieName}`)
  const { name, value, domain, path, secure, httpOnly, sameSite } = cookie
  // A cookie with a domain is none for `__Host-`.
  const url = `https://${domain}${path}`
  const expires = Date.now() / 1000 + seconds
  await session.send('Network.setCookie', { name, value, url, path, secure, httpOnly, sameSite, expires })
}

async function watch(context: BrowserContext, page: Page): Promise<DeviceWindow> {
  context.setDefaultTimeout(60_000)
  const session = await context.newCDPSession(page)
  const events: DeviceEvent[] = []
  session.on('Network.deviceBoundSessionEventOccurred', (event) => events.push(eventOf(event)))
  await session.send('Network.enable')
  await session.send('Network.enableDeviceBoundSessions', { enable: true })
  const count = (kind: string, result: string) =>
    events.filter((event) => event.kind === kind && event.result === result).length
  return {
    context,
    page,
    events,
    happened: (kind, result, times = 1) => eventually(() => count(kind, result) >= times),
    async expire(name) {
      await session.send('Network.deleteCookies', { name, url: page.url() })
    },
    shorten: (name, seconds) => shorten(session, name, seconds),
  }
}

/** A directory for a profile, with which several browsers can be started in turn. */
export function makeProfile(t: Test): string {
  const profile = mkdtempSync(join(tmpdir(), 'profile-'))
  t.teardown(() => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }))
  return profile
}

/** Starts Chromium with a profile. It keeps sign-ins and keys for the next one. */
export async function openProfile(t: Test, profile: string): Promise<DeviceWindow> {
  const args = [...CHROMIUM_ARGUMENTS, ...switches()]
  const options = { executablePath: CHROMIUM, args, timeout: 120_000 }
  const context = await chromium.launchPersistentContext(profile, options)
  t.teardown(() => context.close())
  return watch(context, context.pages()[0] ?? (await context.newPage()))
}

/** Opens an incognito window, whose cookies and keys go with it. @param binds whether the browser can bind sign-ins */
export async function openIncognito(t: Test, binds = true): Promise<DeviceWindow> {
  const browser = await startChromium(t, { switches: binds ? switches() : [trust()] })
  const context = await browser.newContext()
  t.teardown(() => context.close())
  return watch(context, await context.newPage())
}
