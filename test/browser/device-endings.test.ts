import { request } from 'node:https'
import { test } from 'tap'
import { makeProfile, openIncognito, openProfile } from '../helpers/dbsc-browser.js'
import { proofOf } from '../helpers/device-app.js'
import { bindIn, call, type DeviceSite, startDeviceSite } from '../helpers/device-site.js'
import { eventually, openFollowed } from '../helpers/followed.js'
import { startRedis } from '../helpers/redis-server.js'
import { ALICE, START } from '../helpers/suite.js'

const REFRESH = '/device/refresh'
const COOKIE_PROOF = proofOf('cookie')

/** `FC_RUNS=5` makes it 20 sign-outs, and `FC_RUNS=10` 1000 tries with copied cookies. */
const ROUNDS = Number(process.env.FC_RUNS ?? 1)
const statuses = ({ proxy }: DeviceSite) => proxy.to(REFRESH).map(({ status }) => status)

test('a sign-in that was ended elsewhere ends in the browser at its next refresh', async (t) => {
  const site = await startDeviceSite(t)
  const window = await openIncognito(t)
  await bindIn(window, site)
  await site.app.signIns.endAll(ALICE.id)
  await window.expire(COOKIE_PROOF)
  t.equal(await call(window, '/me'), '401 SIGNED_OUT')
  t.same(statuses(site), [401])
  await window.happened('ended', 'RefreshFatalError')
  t.equal(await call(window, '/me'), '401 SIGNED_OUT')
  t.same(statuses(site), [401], 'the browser asks no more')
  await bindIn(window, site)
  t.equal(await call(window, '/me'), '200', 'a login always works')
})

test('another login in the same browser takes the place of the bound sign-in', async (t) => {
  for (const mode of ['cookie', 'session'] as const)
    for (const signsOut of [false, true]) {
      const site = await startDeviceSite(t)
      const window = await openIncognito(t)
      const name = `${mode}, ${signsOut ? 'after' : 'without'} signing out`
      await bindIn(window, site, mode)
      if (signsOut) t.equal(await call(window, `/sign_out/${mode}`, 'POST'), '200')
      await bindIn(window, site, mode)
      site.clock.advance(80)
      await window.expire(proofOf(mode))
      t.equal(await call(window, '/me'), '200', name)
      await window.happened('ended', 'RefreshFatalError')
      const before = statuses(site).length
      await window.expire(proofOf(mode))
      t.equal(await call(window, '/me'), '200', name)
      t.same(statuses(site).slice(before), [200], `${name}: the first one is forgotten`)
      t.equal((await site.records()).length, 1)
    }
})

for (const mode of ['cookie', 'session'] as const)
  for (const what of ['request', 'answer'] as const)
    test(`a refresh under way undoes no sign-out: ${mode}, the ${what} is late`, async (t) => {
      for (let round = 0; round < ROUNDS; round++) {
        const site = await startDeviceSite(t)
        const window = await openIncognito(t)
        await bindIn(window, site, mode)
        const jar = await window.context.cookies()
        const gate = site.proxy.keep(REFRESH, what)
        await window.shorten(proofOf(mode), 60)
        t.equal(await call(window, '/me'), '200')
        await gate.reached
        t.equal(await call(window, `/sign_out/${mode}`, 'POST'), '200')
        gate.open()
        await window.happened('refresh', what === 'answer' ? 'Refreshed' : 'FatalError')
        t.equal(await call(window, '/me'), '401 NOT_SIGNED_IN')
        await window.context.addCookies(jar)
        t.equal(await call(window, '/me'), '401 SIGNED_OUT', 'with all cookies from before')
      }
    })

test('without the store, the browser keeps the sign-in', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { store } = await openFollowed(t, redis.url, { commandTimeout: 5000 })
  const site = await startDeviceSite(t, { store })
  const window = await openIncognito(t)
  await bindIn(window, site)
  redis.pause()
  await window.expire(COOKIE_PROOF)
  const asked = await call(window, '/me')
  t.match(asked, /^(403 DEVICE_PROOF_REQUIRED|503 STORE_UNAVAILABLE)$/)
  t.equal(site.proxy.to('/me')[0]?.sent['secure-session-skipped']?.includes('server_error'), true)
  t.same(statuses(site), [503])
  redis.resume()
  await window.happened('refresh', 'ServerError')
  await eventually(() => store.ping().then(() => true))
  t.equal(await call(window, '/me'), '200')
  t.equal(statuses(site).at(-1), 200)
  t.notOk(window.events.some(({ kind }) => kind === 'ended'))
})

test('a socket ends with the proof that it was opened with, and the browser opens another one', async (t) => {
  const site = await startDeviceSite(t)
  const window = await openIncognito(t)
  await bindIn(window, site)
  const open = `new Promise((resolve) => {
    const socket = new WebSocket('/ws')
    socket.onmessage = ({ data }) => resolve(data)
    window.socketEnd = new Promise((resolve) => { socket.onclose = ({ code }) => resolve(code) })
  })`
  t.equal(await window.page.evaluate(open), 'alice')
  site.clock.advance(20 * 60)
  t.equal(await window.page.evaluate('window.socketEnd'), 4408)
  await window.expire(COOKIE_PROOF)
  t.equal(await window.page.evaluate(open), 'alice')
})

/** Sends a request as it was seen on the network. @returns the proof that the answer sets, or null */
async function replay({ origin }: DeviceSite, headers: object): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', headers: { ...headers }, rejectUnauthorized: false }
    request(`${origin}${REFRESH}`, options, (answer) => {
      answer.resume()
      const [line] = answer.headers['set-cookie'] ?? []
      answer.on('end', () => resolve(line?.replace(/;.*/s, '') ?? null))
    })
      .on('error', reject)
      .end()
  })
}

test('a copied jar, with all that was sent, is worth nothing 20 minutes after the last challenge', async (t) => {
  const site = await startDeviceSite(t)
  const { app, clock, proxy } = site
  const window = await openIncognito(t)
  await bindIn(window, site)
  clock.advance(80)
  await window.expire(COOKIE_PROOF)
  t.equal(await call(window, '/me'), '200')
  const jar = await window.context.cookies()
  const thief = await openProfile(t, makeProfile(t))
  await thief.context.addCookies(jar)
  await thief.page.goto(`${site.origin}/`)
  t.equal(await call(thief, '/me'), '200', 'the proof is still good')

  const [refresh] = proxy.to(REFRESH)
  const long = jar.find(({ name }) => name === '__Host-identity')
  let proof = jar.find(({ name }) => name === COOKIE_PROOF)?.value ?? ''
  const accepted: number[] = []
  while (clock.now < START + 1500_000) {
    proof = (await replay(site, refresh?.sent ?? {}))?.replace(/^[^=]*=/, '') ?? proof
    const cookie = `__Host-identity=${long?.value}; ${COOKIE_PROOF}=${proof}`
    const { statusCode } = await app.inject({ url: '/me', headers: { cookie } })
    if (statusCode === 200) accepted.push(clock.now - START)
    clock.advance(15 / ROUNDS)
  }
  t.ok(accepted.length > 0)
  t.ok(Math.max(...accepted) < 20 * 60_000, 'however often it is sent')
  t.equal(await call(thief, '/me'), '403 DEVICE_PROOF_REQUIRED')
  t.same(
    thief.events,
    [{ kind: 'challenge', result: 'NoSessionMatch' }],
    'the thief’s browser has nothing to answer with',
  )
  await window.expire(COOKIE_PROOF)
  t.equal(await call(window, '/me'), '200', 'the device goes on')
})
