import { type Test, test } from 'tap'
import { TestBrowser } from '../../../helpers/client-browser.js'
import { parts } from '../../../helpers/forge.js'
import { USER } from '../../../helpers/http.js'
import { startUserCenter } from '../../../helpers/user-center.js'

const baseUrl = 'https://center.example'

async function start(t: Test, env: Record<string, string> = { PUBLIC_URL: baseUrl }) {
  const { app, clock } = await startUserCenter(t, env)
  const browser = new TestBrowser(t, app)
  const tab = browser.tab({ baseUrl, bound: true })
  const sent: Request[] = []
  tab.interfere = (request, goOn) => {
    sent.push(request)
    return goOn()
  }
  const signIn = () => tab.client.signIn(USER)
  const me = async () => (await tab.client.fetch('/user_info')).json()
  return { app, clock, browser, tab, sent, signIn, me }
}

const proofIn = (request: Request | undefined) => parts(request?.headers.get('dpop') ?? '')

test('a client with bound signs in, sends and refreshes with proofs', async (t) => {
  const { clock, tab, sent, signIn, me } = await start(t)
  t.match(await signIn(), { ok: true, answer: { data: { token_type: 'DPoP' } } })
  t.same(tab.asked.splice(0), ['/login_token', '/login_token'], 'once more, with the nonce')
  t.match(await me(), { auth_type: 'token' })
  const { payload, header } = proofIn(sent.at(-1))
  t.match(payload, { htm: 'GET', htu: `${baseUrl}/user_info`, ath: /^[\w-]{43}$/ })
  t.same(Object.keys(header.jwk).sort(), ['crv', 'kty', 'x', 'y'])
  t.match(sent.at(-1)?.headers.get('authorization'), /^DPoP ey/)
  t.equal(await tab.client.refresh(), null)
  t.notOk('ath' in proofIn(sent.at(-1)).payload)
  t.same(tab.asked.splice(0), ['/user_info', '/refresh_token'], 'the nonce is kept')
  clock.advance(150)
  t.match(await me(), { auth_type: 'token' })
  clock.advance(150)
  t.match(await me(), { auth_type: 'token' })
  t.same(tab.asked.splice(0), ['/user_info', '/user_info'], 'and replaced in time')
  clock.advance(300)
  t.match(await me(), { auth_type: 'token' })
  t.equal(tab.asked.splice(0).filter((path) => path === '/user_info').length, 2, 'after a pause, once more')
  t.equal((await tab.client.signOut()).ok, true)
  t.match(await me(), { error: 'NOT_SIGNED_IN' })
  t.same(
    tab.events.map(({ type }) => type),
    ['signed_in', 'refreshed', 'signed_out'],
  )
})

test('an expired token is refreshed with a proof', async (t) => {
  const { clock, browser, tab, signIn, me } = await start(t)
  await signIn()
  clock.advance(901)
  t.match(await me(), { auth_type: 'token' })
  await browser.clock.pass(901_000)
  clock.advance(901)
  t.match(await me(), { auth_type: 'token' })
  t.same(
    tab.events.map(({ type }) => type),
    ['signed_in', 'refreshed', 'refreshed'],
  )
})

test('a request with a body is repeated whole, unless its body was a stream', async (t) => {
  const { clock, tab, sent, signIn } = await start(t)
  await signIn()
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ display_name: 'Zoë' })
  clock.advance(300)
  const answer = await tab.client.fetch('/user_info', { method: 'PATCH', headers, body })
  t.equal(answer.status, 200)
  clock.advance(300)
  await signIn()
  clock.advance(300)
  sent.length = 0
  const request = new Request(`${baseUrl}/user_info`, { method: 'PATCH', headers, body })
  t.equal((await tab.client.fetch(request)).status, 200)
  t.equal(sent.length, 2)
  clock.advance(240)
  const stream = new Blob([body]).stream()
  const once = await tab.client.fetch('/user_info', { method: 'PATCH', headers, body: stream })
  t.match(await once.json(), { error: 'PROOF_NONCE_REQUIRED' })
})

test('no proof goes anywhere else, and none to a route that asks for no token', async (t) => {
  const { tab, sent, signIn } = await start(t)
  tab.interfere = async (request) => {
    sent.push(request)
    return Response.json({})
  }
  await tab.client.fetch('/settings')
  tab.interfere = (_, goOn) => goOn()
  await signIn()
  tab.interfere = async (request) => {
    sent.push(request)
    return Response.json({})
  }
  const own = { headers: { authorization: 'Bearer of-my-own' } }
  await tab.client.fetch('https://evil.example/login_token', { method: 'POST' })
  await tab.client.fetch('/user_info', own)
  t.same(
    sent.map(({ headers }) => [headers.get('dpop'), headers.get('authorization')]),
    [
      [null, null],
      [null, null],
      [null, 'Bearer of-my-own'],
    ],
  )
})

test('a server that binds no tokens signs nobody in silently unbound', async (t) => {
  const env = {
    NODE_ENV: 'production',
    SINGLE_INSTANCE: 'true',
    AUTH_SECRETS: 'kPz3Vt9_QyX2mWc7HsB4nLd8RfJ1gTa6',
  }
  const { signIn, tab } = await start(t, env)
  t.match(await signIn(), { ok: false, status: 400, answer: { error: 'PROOF_INVALID' } })
  t.same(tab.events, [])
})

test('on a server, each client has a key of its own', async (t) => {
  const { browser, sent, signIn } = await start(t)
  const other = browser.tab({ baseUrl, bound: true })
  other.interfere = (request, goOn) => {
    sent.push(request)
    return goOn()
  }
  await signIn()
  await other.client.signIn(USER)
  t.equal(new Set(sent.map((request) => proofIn(request).header.jwk.x)).size, 2)
})

test('the tokens of a bound client are kept apart from those of another one', async (t) => {
  const { browser, tab, signIn } = await start(t)
  const unbound = browser.tab({ baseUrl })
  await signIn()
  t.match(await (await unbound.client.fetch('/user_info')).json(), { error: 'NOT_SIGNED_IN' })
  t.same(unbound.events, [])
  t.equal(tab.events.length, 1)
})
