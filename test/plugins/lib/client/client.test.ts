import { type Test, test } from 'tap'
import { createClient } from '../../../../plugins/lib/client/client.js'
import { settle, TestBrowser } from '../../../helpers/client-browser.js'
import { USER } from '../../../helpers/http.js'
import { startUserCenter } from '../../../helpers/user-center.js'

async function start(t: Test) {
  const { app, clock } = await startUserCenter(t)
  return { app, clock, browser: new TestBrowser(t, app) }
}

test('the credential goes to our origin alone, and never over one of the application’s own', async (t) => {
  const { browser } = await start(t)
  const tab = browser.tab()
  await tab.client.signIn(USER)
  const sent: [string, string | null][] = []
  tab.interfere = async (request) => {
    sent.push([request.url, request.headers.get('authorization')])
    return Response.json({})
  }
  const headers = { authorization: 'Bearer of-my-own' }
  await tab.client.fetch('/a', { headers })
  await tab.client.fetch(new Request('http://center.example/b', { headers }))
  for (const url of [
    'http://evil.example/',
    'https://center.example/',
    'http://center.example:8080/',
    'http://center.example.evil.example/',
    '//evil.example/',
    '\\\\evil.example/',
    new URL('http://evil.example/url'),
    new Request('http://evil.example/request'),
  ])
    await tab.client.fetch(url)
  t.same(
    sent.map(([, authorization]) => authorization),
    ['Bearer of-my-own', 'Bearer of-my-own', ...Array(8).fill(null)],
  )
  sent.length = 0
  for (const url of ['/c', 'd?e', 'http://CENTER.example:80/f']) await tab.client.fetch(url)
  for (const [url, authorization] of sent) t.match(authorization, /^Bearer ey/, url)
})

test('a visitor with the cookie storage costs one question', async (t) => {
  const { browser } = await start(t)
  const tab = browser.tab({ storage: 'cookie' })
  for (let time = 0; time < 3; time++) await tab.client.fetch('/user_info')
  t.same(tab.asked, ['/refresh_token', '/user_info', '/user_info', '/user_info'])
  t.same(tab.events, [])
})

test('signing in says what the server says', async (t) => {
  const { browser } = await start(t)
  const tab = browser.tab()
  const wrong = await tab.client.signIn(
    { ...USER, password: 'wrong' },
    { headers: { 'accept-language': 'zh' } },
  )
  t.match(wrong, {
    ok: false,
    status: 401,
    answer: { error: 'CREDENTIALS_REFUSED', msg: '用户名或密码错误。' },
  })
  tab.interfere = async () => new Response('<html>', { status: 502 })
  t.match(await tab.client.signIn(USER), { ok: false, status: 502, answer: { error: 'UNEXPECTED' } })
  tab.interfere = async () => new Response('<html>')
  t.match(await tab.client.signIn(USER), { ok: false, status: 200 })
  t.same(tab.events, [])
  tab.interfere = (_, goOn) => goOn()
  t.match(await tab.client.signIn(USER), { ok: true, answer: { data: { token_type: 'Bearer' } } })
  t.equal(await tab.client.refresh(), null)
  t.same(
    tab.events.map(({ type }) => type),
    ['signed_in', 'refreshed'],
  )
})

test('an unsubscribed listener hears nothing', async (t) => {
  const { browser } = await start(t)
  const tab = browser.tab()
  const heard: unknown[] = []
  tab.client.subscribe((event) => heard.push(event))()
  await tab.client.signIn(USER)
  await settle()
  t.same(heard, [])
})

test('another mode’s dead cookie, or a proxy that drops the header, signs no token out', async (t) => {
  const { browser } = await start(t)
  const tab = browser.tab()
  await tab.client.signIn(USER)
  for (const error of ['NOT_SIGNED_IN', 'CREDENTIAL_EXPIRED', 'CREDENTIAL_INVALID', 'SIGNED_OUT']) {
    let first = true
    tab.interfere = async (_, goOn) => {
      if (!first) return goOn()
      first = false
      return Response.json({ code: 403, msg: '', error }, { status: 403 })
    }
    await tab.client.fetch('/only-by-session')
    await settle()
  }
  t.same(
    tab.events.map(({ type }) => type),
    ['signed_in'],
  )
})

test('baseUrl is needed outside of a page, and may have a path', async (t) => {
  t.throws(() => createClient(), ReferenceError)
  t.throws(() => createClient({ baseUrl: 'center' }), TypeError)
  const asked: string[] = []
  const fetch: typeof globalThis.fetch = async (input) => {
    asked.push(String(input))
    return Response.json({ code: 200, msg: '' })
  }
  const client = createClient({ baseUrl: 'http://a.example/center/', mode: 'cookie', environment: { fetch } })
  await client.signIn(USER)
  await client.fetch('/own')
  client.close()
  t.same(asked, ['http://a.example/center/login_cookie', 'http://a.example/own'])
})
