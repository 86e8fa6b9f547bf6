import { type Test, test } from 'tap'
import type { LiveEvent } from '../../../../plugins/lib/client/client.js'
import { makeCutter } from '../../../../plugins/lib/client/event-stream.js'
import { settle, type Tab, TestBrowser } from '../../../helpers/client-browser.js'
import { USER } from '../../../helpers/http.js'
import { startUserCenter } from '../../../helpers/user-center.js'

const text = new TextEncoder()

/** A stream as the contract has it, which the test writes. */
class LiveServer {
  readonly opened: Request[] = []
  #streams: ReadableStreamDefaultController<Uint8Array>[] = []
  /** Answers instead of a stream. */
  refuse: (() => Response | Promise<Response>) | null = null

  readonly interfere: Tab['interfere'] = async (request, goOn) => {
    if (!request.url.endsWith('/live')) return goOn()
    this.opened.push(request)
    if (this.refuse) return this.refuse()
    const body = new ReadableStream<Uint8Array>({
      start: (stream) => {
        this.#streams.push(stream)
        request.signal.addEventListener('abort', () => stream.error(request.signal.reason))
        stream.enqueue(
          text.encode('event: hello\ndata: {"sign_in_id":"s1","expires_at":"2031-01-01T00:00:00Z"}\n\n'),
        )
      },
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }

  write(chunk: string): void {
    this.#streams.at(-1)?.enqueue(text.encode(chunk))
  }

  breakOff(): void {
    this.#streams.at(-1)?.error(new TypeError('terminated'))
  }

  end(): void {
    this.#streams.at(-1)?.close()
  }
}

async function start(t: Test) {
  const { app, clock } = await startUserCenter(t)
  const browser = new TestBrowser(t, app)
  const server = new LiveServer()
  const tab = (options = {}) => Object.assign(browser.tab(options), { interfere: server.interfere })
  return { app, clock, browser, server, tab }
}

/** Reads all events, in the background. */
function collect(tab: Tab, signal?: AbortSignal) {
  const events: LiveEvent[] = []
  const reading = (async () => {
    for await (const event of tab.client.live({ signal })) events.push(event)
  })()
  const names = () => events.map(({ event }) => event)
  return { events, names, reading }
}

const refusal = (status: number, error: string, headers = {}) =>
  Response.json({ code: status, msg: '', error }, { status, headers })

test('client.live() reads the stream by fetch, with the token', async (t) => {
  const { server, tab } = await start(t)
  const one = tab()
  await one.client.signIn(USER)
  const { events, names } = collect(one)
  await settle()
  t.match(server.opened[0]?.headers.get('authorization'), /^Bearer ey/)
  t.equal(server.opened[0]?.headers.get('accept'), 'text/event-stream')
  server.write(': still here\n\nevent: sign_')
  server.write('ins\r\ndata: {}\r\n\r\nevent: other\ndata: 1\n\n')
  await settle()
  t.same(names(), ['hello', 'sign_ins'])
  t.match(events[0], { data: { sign_in_id: 's1' } })
})

test('client.live() reconnects after a network error or 503, never after 403', async (t) => {
  const { browser, server, tab } = await start(t)
  const one = tab()
  await one.client.signIn(USER)
  const { names, reading } = collect(one)
  await settle()
  server.breakOff()
  await settle()
  t.equal(server.opened.length, 1, 'not at once')
  await browser.clock.pass(15_000)
  t.equal(server.opened.length, 2)
  server.end()
  server.refuse = () => Promise.reject(new TypeError('fetch failed'))
  await browser.clock.pass(15_000)
  server.refuse = () => refusal(503, 'STORE_UNAVAILABLE', { 'retry-after': '100' })
  await browser.clock.pass(15_000)
  const before = server.opened.length
  await browser.clock.pass(80_000)
  t.equal(server.opened.length, before, 'Retry-After is obeyed')
  for (const status of [429, 504]) {
    server.refuse = () => refusal(status, 'OTHER')
    await browser.clock.pass(60_000)
  }
  server.refuse = null
  await browser.clock.pass(60_000)
  t.same(names(), ['hello', 'hello', 'hello'])
  server.refuse = () => refusal(403, 'ROLE_REQUIRED')
  server.end()
  await browser.clock.pass(15_000)
  await reading
  const { length } = server.opened
  await browser.clock.pass(600_000)
  t.equal(server.opened.length, length)
  t.same(
    one.events.map(({ type }) => type),
    ['signed_in'],
    'a 403 alone signs nobody out',
  )
})

test('after a long silence the connection counts as dead', async (t) => {
  const { browser, server, tab } = await start(t)
  const one = tab()
  await one.client.signIn(USER)
  const { names } = collect(one)
  await browser.clock.pass(40_000)
  server.write(': still here\n\n')
  await browser.clock.pass(40_000)
  t.equal(server.opened.length, 1)
  await browser.clock.pass(30_000)
  t.equal(server.opened.length, 2)
  t.same(names(), ['hello', 'hello'])
})

test('the end of the sign-in ends it, for all tabs', async (t) => {
  const { app, server, tab } = await start(t)
  for (const options of [{ storage: 'cookie' }, { mode: 'cookie' }] as const) {
    const tabs = [tab(options), tab(options)] as const
    await tabs[0].client.signIn(USER)
    await settle()
    const opened = server.opened.length
    const [first, second] = [collect(tabs[0]), collect(tabs[1])]
    await settle()
    t.equal(server.opened.length, opened + 1, 'one connection for both')
    server.write('event: sign_ins\ndata: {}\n\n')
    await settle()
    t.equal(second.names().at(-1), 'sign_ins')
    const account = await app.accounts.findByUsername('user1')
    await app.signIns.endAll(account?.id ?? '')
    server.refuse = () => refusal(403, 'SIGNED_OUT')
    server.write('event: signed_out\ndata: {"error":"SIGNED_OUT"}\n\n')
    await Promise.all([first.reading, second.reading])
    server.refuse = null
    t.equal(first.names().at(-1), 'signed_out')
    for (const { events } of tabs) t.match(events.at(-1), { type: 'signed_out', error: 'SIGNED_OUT' })
  }
})

test('an access token that expires ends no live events', async (t) => {
  const { browser, clock, server, tab } = await start(t)
  const one = tab()
  await one.client.signIn(USER)
  const { names } = collect(one)
  await settle()
  clock.advance(901)
  server.write('event: signed_out\ndata: {"error":"TOKEN_EXPIRED"}\n\n')
  await browser.clock.pass(15_000)
  t.same(names(), ['hello', 'hello'])
  t.equal(server.opened.length, 2)
  t.not(server.opened[1]?.headers.get('authorization'), server.opened[0]?.headers.get('authorization'))
})

test('another sign-in in its place is followed after a second', async (t) => {
  const { browser, server, tab } = await start(t)
  const one = tab({ mode: 'cookie' })
  await one.client.signIn(USER)
  const { names } = collect(one)
  await settle()
  server.write('event: signed_out\ndata: {"error":"SIGNED_OUT"}\n\n')
  await settle()
  t.equal(server.opened.length, 1, 'not at once')
  await browser.clock.pass(1000)
  t.equal(server.opened.length, 2)
  t.same(names(), ['hello', 'hello'])
})

test('when the tab that reads dies, another one reads', async (t) => {
  const { browser, server, tab } = await start(t)
  const tabs = [tab({ storage: 'cookie' }), tab({ storage: 'cookie' })] as const
  await tabs[0].client.signIn(USER)
  await settle()
  const first = collect(tabs[0])
  await settle()
  const second = collect(tabs[1])
  await settle()
  tabs[0].client.close()
  await first.reading
  await browser.clock.pass(1000)
  t.equal(server.opened.length, 2)
  t.same(second.names(), ['hello'])
})

test('a signal and close() end it', async (t) => {
  const { server, tab } = await start(t)
  const one = tab()
  await one.client.signIn(USER)
  const stop = new AbortController()
  const { reading } = collect(one, stop.signal)
  await settle()
  stop.abort()
  await reading
  t.equal(server.opened[0]?.signal.aborted, true)
  const again = collect(one)
  await settle()
  one.client.close()
  await again.reading
  await collect(one, AbortSignal.abort()).reading
  t.equal(server.opened.length, 2)
})

test('an event without data is an event', async (t) => {
  const { browser } = await start(t)
  const tab = browser.tab()
  await tab.client.signIn(USER)
  tab.interfere = async (request, goOn) =>
    request.url.endsWith('/live') ? new Response('event: sign_ins\n\n') : goOn()
  for await (const event of tab.client.live()) {
    t.same(event, { event: 'sign_ins', data: null })
    break
  }
})

test('a stream is cut into events, whatever its chunks', async (t) => {
  const stream = 'event: hello\ndata: {"a":"é"}\n\n: x\n\nevent:sign_ins\r\ndata:{}\r\n\r\n'
  const bytes = text.encode(stream)
  for (let size = 1; size <= bytes.length; size++) {
    const cut = makeCutter()
    const found: unknown[] = []
    for (let at = 0; at < bytes.length; at += size) found.push(...cut(bytes.subarray(at, at + size)))
    t.same(found, [
      { event: 'hello', data: '{"a":"é"}' },
      { event: undefined, data: undefined },
      { event: 'sign_ins', data: '{}' },
    ])
  }
  const cut = makeCutter()
  for (let chunk = 0; chunk < 100; chunk++) t.same(cut(text.encode('x'.repeat(10_000))), [])
})
