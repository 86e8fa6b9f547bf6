import { type Test, test } from 'tap'
import { findEnvironment } from '../../../../plugins/lib/client/environment.js'
import { ClientClock, settle, type Tab, TestBrowser } from '../../../helpers/client-browser.js'
import { USER } from '../../../helpers/http.js'
import { startUserCenter } from '../../../helpers/user-center.js'

/** The user center, and a browser whose clock moves the server's. */
async function start(t: Test, env: Record<string, string> = {}) {
  const { app, clock } = await startUserCenter(t, env)
  const browser = new TestBrowser(t, app)
  /** In seconds, on both sides. */
  const pass = async (seconds: number) => {
    clock.advance(seconds)
    await browser.clock.pass(seconds * 1000)
  }
  const alarms: string[] = []
  app.audit.subscribe(({ type }) => {
    if (type === 'refresh_reuse_detected') alarms.push(type)
  })
  return { app, clock, browser, pass, alarms }
}

const refreshes = (...tabs: Tab[]) =>
  tabs.flatMap(({ asked }) => asked.filter((path) => path === '/refresh_token'))
const types = ({ events }: Tab) => events.map(({ type }) => type)
async function statusOf(tab: Tab, path = '/sign_ins'): Promise<number> {
  return (await tab.client.fetch(path)).status
}
/** Answers `POST /refresh_token` by itself. */
const refreshing =
  (answer: () => Response | Promise<Response>): Tab['interfere'] =>
  (request, goOn) =>
    request.url.endsWith('/refresh_token') ? Promise.resolve(answer()) : goOn()
const failure = (status: number, error: string, headers = {}) =>
  Response.json({ code: status, msg: '', error }, { status, headers })
const networkError = () => Promise.reject(new TypeError('fetch failed'))

test('one refresh at a time in a tab and across tabs', async (t) => {
  const { browser, pass, alarms } = await start(t)
  const tabs = [1, 2, 3, 4].map(() => browser.tab({ storage: 'cookie' }))
  const [first, ...others] = tabs
  if (!first) throw new Error('no tab')
  t.ok((await first.client.signIn(USER)).ok)
  await settle()
  t.same(
    others.map(types),
    others.map(() => ['signed_in']),
    'the others take its tokens',
  )
  for (let round = 1; round <= 3; round++) {
    await pass(901)
    const answers = Promise.all(tabs.flatMap((tab) => [statusOf(tab), statusOf(tab, '/user_info')]))
    await browser.clock.pass(1000)
    t.same(
      await answers,
      tabs.flatMap(() => [200, 200]),
    )
    t.equal(refreshes(...tabs).length, round)
  }
  t.same(alarms, [])
})

test('a tab that dies or hangs while it refreshes holds nobody up', async (t) => {
  const { browser, pass, alarms } = await start(t)
  const [hung, alive] = [browser.tab({ storage: 'cookie' }), browser.tab({ storage: 'cookie' })]
  await hung.client.signIn(USER)
  await settle()
  await pass(901)
  // Its request has reached the server, and it never sees the answer.
  hung.interfere = async (_, goOn) => {
    await goOn()
    return new Promise(() => {})
  }
  void statusOf(hung).catch(() => {})
  await settle()
  const answer = statusOf(alive)
  await browser.clock.pass(5100)
  t.equal(await answer, 200)
  t.equal(refreshes(alive).length, 1)
  t.same(alarms, [], 'the second refresh is within the grace')
})

test('nothing is held while the application’s callbacks run', async (t) => {
  const { browser, pass } = await start(t)
  const seen: unknown[] = []
  const saved: (string | null)[] = []
  const storage = {
    load: async () => saved.at(-1) ?? null,
    save: async (token: string | null) => {
      saved.push(token)
      // It must not, but nobody hangs for it.
      seen.push(await statusOf(tab))
    },
  }
  const tab: Tab = browser.tab({ storage, onSignedOut: () => seen.push(statusOf(tab)) })
  tab.client.subscribe(() => {
    seen.push(statusOf(tab))
  })
  const signedIn = tab.client.signIn(USER)
  await browser.clock.pass(3100)
  t.ok((await signedIn).ok)
  await pass(901)
  const answer = statusOf(tab)
  await browser.clock.pass(3100)
  t.equal(await answer, 200)
  const out = tab.client.signOut()
  await browser.clock.pass(3100)
  t.ok((await out).ok)
  t.same(
    (await Promise.all(seen)).filter((status) => status !== 200 && status !== 403),
    [],
    'all of them were answered',
  )
})

test('a refresh only on TOKEN_EXPIRED, or shortly before the end', async (t) => {
  const { browser, clock, pass } = await start(t)
  const tab = browser.tab()
  await tab.client.signIn(USER)
  await pass(860)
  t.equal(await statusOf(tab), 200)
  t.equal(refreshes(tab).length, 0)
  await pass(15)
  t.equal(await statusOf(tab), 200)
  await settle()
  t.equal(refreshes(tab).length, 1, 'shortly before the end, in the background')
  // A clock that slept, or runs slowly.
  clock.advance(901)
  t.equal(await statusOf(tab), 200)
  t.equal(refreshes(tab).length, 2, 'after TOKEN_EXPIRED')
  for (const error of ['ROLE_REQUIRED', 'TOKEN_INVALID', 'SIGN_IN_TOO_OLD', 'CREDENTIAL_INVALID']) {
    tab.interfere = async () => failure(403, error)
    t.equal(await statusOf(tab), 403)
  }
  await settle()
  t.equal(refreshes(tab).length, 2, 'after no other refusal')
  t.same(types(tab), ['signed_in', 'refreshed', 'refreshed'])
})

test('a second refusal is handed on, and refreshes do not loop', async (t) => {
  const { browser } = await start(t)
  const tab = browser.tab()
  await tab.client.signIn(USER)
  // A server with a wrong clock.
  tab.interfere = async (request, goOn) =>
    request.url.endsWith('/refresh_token') ? goOn() : failure(403, 'TOKEN_EXPIRED')
  for (let time = 0; time < 20; time++) {
    t.equal(await statusOf(tab), 403)
    await browser.clock.pass(100)
  }
  t.ok(refreshes(tab).length <= 3, `${refreshes(tab).length} refreshes for 20 requests`)
})

test('back-off with jitter, and a breaker', async (t) => {
  const { browser, pass } = await start(t)
  const tab = browser.tab()
  await tab.client.signIn(USER)
  await pass(901)
  tab.interfere = refreshing(() => failure(503, 'STORE_UNAVAILABLE'))
  for (let second = 0; second < 300; second += 5) {
    const answer = statusOf(tab)
    await browser.clock.pass(5000)
    t.equal(await answer, 503)
  }
  t.ok(refreshes(tab).length < 20, `${refreshes(tab).length} refreshes in 300 s`)
  tab.interfere = (_, goOn) => goOn()
  await browser.clock.pass(60_000)
  t.equal(await statusOf(tab), 200, 'and it recovers')
})

test('Retry-After is obeyed', async (t) => {
  const { browser, pass } = await start(t)
  const tab = browser.tab()
  await tab.client.signIn(USER)
  await pass(901)
  tab.interfere = refreshing(() => failure(429, 'THROTTLED', { 'retry-after': '120' }))
  t.equal(await statusOf(tab), 429)
  for (let second = 0; second < 110; second += 10) {
    await browser.clock.pass(10_000)
    tab.comeBack()
    t.equal(await statusOf(tab), 429)
  }
  t.equal(refreshes(tab).length, 1)
  tab.interfere = (_, goOn) => goOn()
  await browser.clock.pass(11_000)
  t.equal(await statusOf(tab), 200)
})

test('a network error, 503 or a time-out is not “signed out”', async (t) => {
  const { browser, pass } = await start(t)
  const faults: [string, () => Response | Promise<Response>][] = [
    ['network', networkError],
    ['503', () => failure(503, 'STORE_UNAVAILABLE')],
    ['time-out', () => new Promise(() => {})],
    ['a proxy’s page', () => new Response('<html>', { status: 502 })],
    ['a captive portal', () => new Response('<html>')],
    ['cross-site', () => failure(403, 'CROSS_SITE')],
  ]
  for (const [name, fault] of faults) {
    const tab = browser.tab()
    await tab.client.signIn(USER)
    await pass(901)
    tab.interfere = refreshing(fault)
    const answer = statusOf(tab).catch((error: unknown) => error)
    await browser.clock.pass(12_000)
    await answer
    tab.interfere = () => networkError()
    await t.rejects(tab.client.fetch('/sign_ins'), { name: 'TypeError' }, name)
    tab.interfere = (_, goOn) => goOn()
    await browser.clock.pass(60_000)
    t.equal(await statusOf(tab), 200, name)
    t.notOk(types(tab).includes('signed_out'), name)
  }
})

test('checked again when the page becomes visible, is restored, or comes online', async (t) => {
  const { app, browser } = await start(t)
  for (const mode of ['token', 'cookie'] as const) {
    const out: string[] = []
    const tab = browser.tab({ mode, onSignedOut: (error) => out.push(error) })
    await tab.client.signIn(USER)
    tab.comeBack()
    await settle()
    t.same(out, [], 'it lives')
    const admin = await app.accounts.findByUsername('user1')
    await app.signIns.endAll(admin?.id ?? '')
    tab.comeBack()
    await settle()
    t.same(out, ['SIGNED_OUT'], mode)
    const { length } = tab.asked
    tab.comeBack()
    await settle()
    t.equal(tab.asked.length, length, 'who is signed out is not asked about again')
  }
})

test('after sleep, an expired token is refreshed, whatever the clock says', async (t) => {
  const { browser, clock } = await start(t)
  const tab = browser.tab()
  await tab.client.signIn(USER)
  clock.advance(3 * 3600)
  tab.comeBack()
  await settle()
  t.equal(refreshes(tab).length, 1)
  t.equal(await statusOf(tab), 200)
})

test('an old answer that comes late never overwrites newer state', async (t) => {
  const { browser, pass } = await start(t)
  const tab = browser.tab()
  await tab.client.signIn(USER)
  await pass(901)
  const late: (() => void)[] = []
  tab.interfere = async (request, goOn) => {
    const answer = await goOn()
    if (request.url.endsWith('/refresh_token')) await new Promise<void>((resolve) => late.push(resolve))
    return answer
  }
  const slow = statusOf(tab)
  await settle()
  t.ok((await tab.client.signIn({ username: 'admin', password: 'admin123' })).ok)
  for (const answer of late) answer()
  t.equal(await slow, 403, 'nothing is asked in another person’s name')
  t.match(await (await tab.client.fetch('/user_info')).json(), { data: { username: 'admin' } })
  t.same(types(tab), ['signed_in', 'signed_in'])
  t.ok((await tab.client.signOut()).ok)
  t.equal(types(tab).at(-1), 'signed_out')
})

test('the successor is stored before it is used', async (t) => {
  const { browser, pass } = await start(t)
  const stored: (string | null)[] = []
  const steps: string[] = []
  const storage = {
    load: async () => stored.at(-1) ?? null,
    save: async (token: string | null) => {
      await settle()
      stored.push(token)
      steps.push('stored')
    },
  }
  const tab = browser.tab({ storage })
  tab.interfere = async (request, goOn) => {
    steps.push(new URL(request.url).pathname)
    return goOn()
  }
  await tab.client.signIn(USER)
  await pass(901)
  t.equal(await statusOf(tab), 200)
  t.same(steps, ['/login_token', 'stored', '/refresh_token', 'stored', '/sign_ins'])
  const next = browser.tab({ storage })
  t.equal(await statusOf(next), 200, 'another start goes on from there')
  t.equal(new Set(stored).size, 3)
  t.ok((await next.client.signOut()).ok)
  for (let time = 0; time < 3; time++) await settle()
  t.equal(stored.at(-1), null)
})

test('storage: the refresh token of a lost answer is used again', async (t) => {
  const { browser, pass, alarms } = await start(t)
  const tab = browser.tab()
  await tab.client.signIn(USER)
  await pass(901)
  let lost = 0
  tab.interfere = async (request, goOn) => {
    const answer = await goOn()
    return request.url.endsWith('/refresh_token') && lost++ === 0 ? networkError() : answer
  }
  const answer = statusOf(tab)
  await browser.clock.pass(2000)
  t.equal(await answer, 200)
  t.equal(refreshes(tab).length, 2)
  t.same(alarms, [])
})

test('a request is sent again only when its body can be, and the first got our own refusal', async (t) => {
  const { browser, clock } = await start(t)
  const tab = browser.tab()
  await tab.client.signIn(USER)
  const stream = () => new Blob(['{}']).stream()
  const url = 'http://center.example/password'
  const bodies: [string, () => Promise<Response>, number][] = [
    ['text', () => tab.client.fetch('/password', { method: 'POST', body: '{}' }), 2],
    ['form', () => tab.client.fetch('/password', { method: 'POST', body: new URLSearchParams('a=b') }), 2],
    ['blob', () => tab.client.fetch('/password', { method: 'POST', body: new Blob(['{}']) }), 2],
    ['bytes', () => tab.client.fetch('/password', { method: 'POST', body: new Uint8Array(2) }), 2],
    ['a stream', () => tab.client.fetch('/password', { method: 'POST', body: stream() }), 1],
    ['a request with a body', () => tab.client.fetch(new Request(url, { method: 'POST', body: '{}' })), 1],
    ['a request without one', () => tab.client.fetch(new Request(url, { method: 'DELETE' })), 2],
  ]
  for (const [name, send, times] of bodies) {
    clock.advance(901)
    tab.asked.length = 0
    tab.interfere = async (request, goOn) =>
      new URL(request.url).pathname !== '/password' || request.headers.get('x') === 'no'
        ? goOn()
        : tab.asked.filter((path) => path === '/password').length === 1
          ? failure(403, 'TOKEN_EXPIRED')
          : failure(400, 'BODY_INVALID')
    const { status } = await send()
    t.equal(tab.asked.filter((path) => path === '/password').length, times, name)
    t.equal(status, times === 2 ? 400 : 403, name)
    await browser.clock.pass(60_000)
  }
  tab.asked.length = 0
  tab.interfere = async (request, goOn) =>
    request.url === url ? new Response('expired?', { status: 403 }) : goOn()
  t.equal((await tab.client.fetch('/password', { method: 'POST', body: '{}' })).status, 403)
  t.same(tab.asked, ['/password'], 'another’s refusal')
})

test('sign-out reaches the other tabs', async (t) => {
  const { browser } = await start(t)
  for (const options of [{ storage: 'cookie' }, { mode: 'cookie' }, { mode: 'session' }] as const) {
    const [one, other] = [browser.tab(options), browser.tab(options)]
    await one.client.signIn(USER)
    await settle()
    t.equal(await statusOf(other), 200)
    t.ok((await one.client.signOut()).ok)
    await settle()
    t.equal(types(other).at(-1), 'signed_out', JSON.stringify(options))
    t.equal(await statusOf(other), 403)
    t.equal(types(other).filter((type) => type === 'signed_out').length, 1)
    await one.client.signIn(USER)
    await settle()
    t.equal(types(other).at(-1), 'signed_in', 'and a new sign-in')
    await one.client.signOut()
    await settle()
  }
})

test('a sign-out that could not be stored signs nobody out', async (t) => {
  const { browser } = await start(t)
  const tab = browser.tab()
  await tab.client.signIn(USER)
  tab.interfere = async () => failure(503, 'STORE_UNAVAILABLE', { 'retry-after': '2' })
  t.match(await tab.client.signOut(), {
    ok: false,
    status: 503,
    retryAfter: 2,
    answer: { error: 'STORE_UNAVAILABLE' },
  })
  tab.interfere = () => networkError()
  await t.rejects(tab.client.signOut())
  tab.interfere = (_, goOn) => goOn()
  t.equal(await statusOf(tab), 200)
  t.same(types(tab), ['signed_in'])
})

/** A storage that pages share. */
function sharedStorage() {
  let stored: string | null = null
  return {
    isEmpty: () => stored === null,
    load: async () => stored,
    save: async (token: string | null) => {
      stored = token
    },
  }
}

test('signing out first thing after a reload ends the stored sign-in', async (t) => {
  const { app, browser } = await start(t)
  const storage = sharedStorage()
  for (const options of [{ storage }, { storage: 'cookie' }] as const) {
    const before = browser.tab(options)
    await before.client.signIn(USER)
    const reloaded = browser.tab(options)
    t.ok((await reloaded.client.signOut()).ok)
    for (let time = 0; time < 3; time++) await settle()
    const account = await app.accounts.findByUsername(USER.username)
    t.same(await app.signIns.list(String(account?.id)), [])
    t.equal(types(before).at(-1), 'signed_out', 'the other tabs know')
    t.equal(types(reloaded).at(-1), 'signed_out')
    t.ok(storage.isEmpty())
    t.equal(await statusOf(browser.tab(options)), 403)
  }
})

test('signing out after a reload says so if it cannot load the tokens', async (t) => {
  const { browser } = await start(t)
  const storage = sharedStorage()
  await browser.tab({ storage }).client.signIn(USER)
  const reloaded = browser.tab({ storage })
  reloaded.interfere = refreshing(() => failure(503, 'STORE_UNAVAILABLE'))
  const out = reloaded.client.signOut()
  await browser.clock.pass(1000)
  t.match(await out, { ok: false, status: 503, answer: { error: 'STORE_UNAVAILABLE' } })
  t.notOk(storage.isEmpty())
  t.equal(await statusOf(browser.tab({ storage })), 200)
})

test('closed while it refreshes, a client still stores the successor', async (t) => {
  const { browser, pass } = await start(t)
  const storage = sharedStorage()
  class ClosingChannel {
    onmessage = null
    #isClosed = false
    postMessage() {
      if (this.#isClosed) throw new DOMException('closed', 'InvalidStateError')
    }
    close() {
      this.#isClosed = true
    }
  }
  const tab = browser.tab({ storage }, { openChannel: () => new ClosingChannel() })
  await tab.client.signIn(USER)
  const first = await storage.load()
  await pass(901)
  tab.interfere = async (request, goOn) => {
    if (request.url.endsWith('/refresh_token')) tab.client.close()
    return goOn()
  }
  t.equal(await statusOf(tab), 200)
  t.not(await storage.load(), first)
})

test('a storage that throws at once is one without content', async (t) => {
  const { browser } = await start(t)
  const fail = () => {
    throw new DOMException('denied', 'SecurityError')
  }
  const options = { storage: { load: fail, save: fail } }
  const tab = browser.tab(options)
  t.ok((await tab.client.signIn(USER)).ok)
  t.equal(await statusOf(tab), 200)
  t.equal(await statusOf(browser.tab(options)), 403)
})

test('a body that was sent is not sent again, where `Request` has no `body`', async (t) => {
  const { browser, pass } = await start(t)
  const tab = browser.tab()
  await tab.client.signIn(USER)
  const request = new Request('http://center.example/sign_ins?except=current', {
    method: 'DELETE',
    body: 'text',
  })
  Object.defineProperty(request, 'body', { value: undefined })
  await pass(0)
  tab.interfere = async (sent, goOn) => {
    if (!sent.url.includes('except')) return goOn()
    await sent.text()
    return failure(403, 'TOKEN_EXPIRED')
  }
  t.equal((await tab.client.fetch(request)).status, 403)
  t.equal(tab.asked.filter((path) => path === '/sign_ins').length, 1)
})

test('on a server: clients of different people know nothing of each other', async (t) => {
  const { app, browser } = await start(t)
  const { findEnvironment } = await import('../../../../plugins/lib/client/environment.js')
  const env = findEnvironment()
  t.same([env.locks, env.openChannel, env.onReturn], [undefined, undefined, undefined])
  t.equal(app.server.listening, false)
  const [one, other] = [browser.tab(), browser.tab()]
  await one.client.signIn(USER)
  await settle()
  t.equal(await statusOf(other), 403)
  t.same(other.events, [])
})

test('the clock of the client may be an hour off', async (t) => {
  const { app, browser } = await start(t)
  for (const off of [-3_600_000, 3_600_000]) {
    const clock = new ClientClock()
    clock.now = off
    const tab = new TestBrowser(t, app, clock).tab()
    await tab.client.signIn(USER)
    t.equal(await statusOf(tab), 200)
    t.equal(refreshes(tab).length, 0)
  }
  t.ok(browser)
})

test('by a monotonic clock: when the wall clock jumps an hour, no refresh comes early or late', async (t) => {
  const { browser, pass } = await start(t)
  const { now } = Date
  let jumped = 0
  Date.now = () => now() + jumped
  t.teardown(() => {
    Date.now = now
  })
  const jump = (hours: number) => {
    jumped += hours * 3_600_000
  }
  // This tab has the clock of browsers, the other one the clock of the test.
  const real = browser.tab({}, { now: findEnvironment().now })
  const tab = browser.tab()
  for (const { client } of [real, tab]) await client.signIn(USER)
  for (const hours of [1, -2, 1]) {
    jump(hours)
    t.same([await statusOf(real), await statusOf(tab)], [200, 200])
    t.same(refreshes(real, tab), [], `not early: ${hours} h`)
  }
  for (const hours of [-1, 2]) {
    const before = refreshes(tab).length
    await pass(901)
    jump(hours)
    t.equal(await statusOf(tab), 200)
    t.equal(refreshes(tab).length, before + 1, `not late: ${hours} h`)
    t.equal(await statusOf(tab), 200)
    t.equal(refreshes(tab).length, before + 1, 'once')
  }
})
