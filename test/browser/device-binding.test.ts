import { test } from 'tap'
import { makeProfile, openIncognito, openProfile } from '../helpers/dbsc-browser.js'
import { proofOf } from '../helpers/device-app.js'
import { bindIn, call, signInFrom, startDeviceSite } from '../helpers/device-site.js'
import { ALICE, refused } from '../helpers/suite.js'

const REFRESH = '/device/refresh'
const COOKIE_PROOF = proofOf('cookie')

test('a login is bound by the browser, and needs its device from then on', async (t) => {
  const site = await startDeviceSite(t)
  const { app, clock, proxy } = site
  const window = await openIncognito(t)
  await bindIn(window, site)
  const [registration, ...others] = proxy.to('/device/register')
  t.same(others, [])
  t.equal(registration?.status, 200)
  // The login's own cookie was issued before the registration.
  const [login] = proxy.to('/sign_in/cookie')
  const early = { cookie: String(login?.received['set-cookie']).replace(/;.*/s, '') }
  const [replaced] = (await window.context.cookies()).filter(({ name }) => name === '__Host-identity')
  t.not(`__Host-identity=${replaced?.value}`, early.cookie, 'and replaced at once')
  clock.advance(80)
  t.equal(await call(window, '/me'), '200')
  t.same(proxy.to(REFRESH), [], 'the registration was the first proof')
  const cookies = await window.context.cookies()
  const names = cookies.map(({ name }) => name)
  t.same(names.toSorted(), ['__Host-identity', COOKIE_PROOF])
  const [cookie] = cookies.filter(({ name }) => name === '__Host-identity')
  const headers = { cookie: `__Host-identity=${cookie?.value}` }
  refused(t, await app.inject({ url: '/me', headers }), 403, 'DEVICE_PROOF_REQUIRED', 'without the proof')
  refused(
    t,
    await app.inject({ url: '/me', headers: early }),
    403,
    'DEVICE_PROOF_REQUIRED',
    'the first cookie',
  )
})

test('a browser that cannot bind stays as it is, unless that is required', async (t) => {
  for (const [mode, answer] of [
    ['on', '200'],
    ['required', '403 DEVICE_PROOF_REQUIRED'],
  ] as const) {
    const site = await startDeviceSite(t, { device: { mode } })
    const window = await openIncognito(t, false)
    await signInFrom(window, site)
    t.equal(await call(window, '/me'), '200')
    site.clock.advance(80)
    for (const time of ['first', 'second'])
      t.equal(await call(window, '/me'), answer, `${mode}, the ${time} time`)
    t.same(
      site.proxy.exchanges.filter(({ path }) => path.startsWith('/device')),
      [],
    )
  }
})

test('two modes have a proof each', async (t) => {
  const site = await startDeviceSite(t)
  const { app, clock, proxy } = site
  const window = await openIncognito(t)
  await bindIn(window, site, 'cookie')
  await bindIn(window, site, 'session')
  clock.advance(80)
  for (const mode of ['cookie', 'session']) await window.expire(proofOf(mode))
  t.equal(await call(window, '/me'), '200')
  t.equal(new Set(proxy.to(REFRESH).map(({ sent }) => sent['sec-secure-session-id'])).size, 2)
  t.equal(await call(window, '/sign_out/session', 'POST'), '200')
  t.equal(await call(window, '/me'), '200', 'by cookie')
  const names = (await window.context.cookies()).map(({ name }) => name)
  t.same(names.toSorted(), ['__Host-identity', COOKIE_PROOF], 'the session took its proof with it')
  t.equal((await app.signIns.list('account-alice')).length, 1)
})

test('one answer can begin two sign-ins, and both are bound', async (t) => {
  const site = await startDeviceSite(t, {
    routes(app) {
      app.post('/sign_in_twice', async (request) => {
        for (const mode of ['cookie', 'session'] as const) await request.signIn(mode, ALICE)
        return {}
      })
    },
  })
  const window = await openIncognito(t)
  await window.page.goto(`${site.origin}/`)
  t.equal(await call(window, '/sign_in_twice', 'POST'), '200')
  await window.happened('bound', 'Success', 2)
  const names = (await window.context.cookies()).map(({ name }) => name)
  t.same(names.toSorted(), ['__Host-identity', COOKIE_PROOF, '__Host-session', proofOf('session')])
})

test('a login form whose answer is a redirect is bound as well', async (t) => {
  const site = await startDeviceSite(t, {
    routes(app) {
      app.get('/login', async (request, reply) => {
        await request.signIn('cookie', ALICE)
        return reply.redirect('/page', 303)
      })
    },
  })
  const window = await openIncognito(t)
  await window.page.goto(`${site.origin}/`)
  await window.page.goto(`${site.origin}/login`)
  t.equal(await window.page.title(), 'alice')
  await window.happened('bound', 'Success')
  await window.expire(COOKIE_PROOF)
  t.equal(await call(window, '/me'), '200')
  t.equal(site.proxy.to(REFRESH).length, 1)
})

test('clearSiteData lets the browser forget its key at a sign-out', async (t) => {
  const site = await startDeviceSite(t, { device: { clearSiteData: true } })
  const window = await openIncognito(t)
  await bindIn(window, site)
  t.equal(await call(window, '/sign_out/cookie', 'POST'), '200')
  await window.happened('ended', 'StoragePartitionCleared')
  t.equal(await call(window, '/me'), '401 NOT_SIGNED_IN')
  t.same(site.proxy.to(REFRESH), [])
})

test('no request to an excluded path waits for a proof', async (t) => {
  const site = await startDeviceSite(t, {
    device: { exclude: ['/static'] },
    routes: (app) => app.get('/static/picture', async () => ({})),
  })
  const window = await openIncognito(t)
  await bindIn(window, site)
  await window.expire(COOKIE_PROOF)
  t.equal(await call(window, '/static/picture'), '200')
  t.same(site.proxy.to(REFRESH), [])
  t.equal(await call(window, '/me'), '200')
  t.equal(site.proxy.to(REFRESH).length, 1)
})

test('a bound sign-in outlives the browser, with its key', async (t) => {
  const site = await startDeviceSite(t)
  const profile = makeProfile(t)
  const before = await openProfile(t, profile)
  await bindIn(before, site)
  await before.context.close()
  const after = await openProfile(t, profile)
  await after.page.goto(`${site.origin}/`)
  await after.expire(COOKIE_PROOF)
  t.equal(await call(after, '/me'), '200')
  t.same(
    site.proxy.to(REFRESH).map(({ status }) => status),
    [403, 200],
    'it has forgotten the challenge, and asks for another one',
  )
})
