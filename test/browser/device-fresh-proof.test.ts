import { test } from 'tap'
import { type DeviceWindow, openIncognito } from '../helpers/dbsc-browser.js'
import { proofOf } from '../helpers/device-app.js'
import { bindIn, type DeviceSite, startDeviceSite } from '../helpers/device-site.js'
import { refused } from '../helpers/suite.js'

const REFRESH = '/device/refresh'

interface Sensitive extends DeviceSite {
  /** What was done, in order. */
  readonly done: unknown[]
}

/** A site with an action that asks for the device. */
async function startSensitive(t: Parameters<typeof startDeviceSite>[0]): Promise<Sensitive> {
  const done: unknown[] = []
  const site = await startDeviceSite(t, {
    routes(app) {
      app.route({
        method: ['GET', 'POST'],
        url: '/transfer',
        onRequest: app.guard({ proof: 'now' }),
        handler: async ({ method, body, query }, reply) => {
          done.push(method === 'GET' ? query : body)
          return reply.type('text/html').send('<!doctype html><title>done</title>')
        },
      })
    },
  })
  return { ...site, done }
}

const transfer = ({ page }: DeviceWindow, amount: number) =>
  page.evaluate(
    `fetch('/transfer', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"amount":${amount}}' }).then(({ status }) => status)`,
  )

const answered = ({ proxy }: DeviceSite) => proxy.to('/transfer').map(({ status }) => status)

test('a fetch that asks for a fresh proof goes through, with its body', async (t) => {
  const site = await startSensitive(t)
  const { clock, proxy, done } = site
  const window = await openIncognito(t)
  await bindIn(window, site)
  t.equal(await transfer(window, 1), 200)
  t.same(done, [{ amount: 1 }], 'once')
  t.same(answered(site), [307, 200])
  t.equal(proxy.to(REFRESH).length, 1)
  t.equal(await transfer(window, 2), 200)
  t.same(answered(site), [307, 200, 200], 'the proof is still fresh')
  clock.advance(61)
  t.equal(await transfer(window, 3), 200)
  t.same(answered(site), [307, 200, 200, 307, 200])
  t.same(done, [{ amount: 1 }, { amount: 2 }, { amount: 3 }])
  t.equal(proxy.to(REFRESH).length, 2)
  const signed = proxy.to(REFRESH).map(({ sent }) => sent['secure-session-response'])
  t.not(signed[0], signed[1], 'each has signed a challenge of its own')
})

test('a navigation that asks for a fresh proof goes through, by link and by form', async (t) => {
  const site = await startSensitive(t)
  const { origin, clock, done } = site
  const window = await openIncognito(t)
  await bindIn(window, site)
  await window.page.goto(`${origin}/transfer?to=bob`)
  t.equal(await window.page.title(), 'done')
  t.same(done, [{ to: 'bob' }], 'the mark is taken from the query')
  clock.advance(61)
  await window.page.goto(`${origin}/`)
  await window.page.evaluate(`{
    const form = Object.assign(document.createElement('form'), { method: 'post', action: '/transfer', enctype: 'text/plain' })
    document.body.append(form)
    form.submit()
  }`)
  await window.page.waitForURL('**/transfer*')
  t.same(answered(site).slice(0, 3), [307, 200, 307])
  t.notOk(window.events.some(({ kind }) => kind === 'ended'))
})

test('a copied proof is not fresh, and the fourth question in ten minutes is a refusal', async (t) => {
  const site = await startSensitive(t)
  const { app, clock, done, proxy } = site
  const window = await openIncognito(t)
  await bindIn(window, site)
  const cookies = await window.context.cookies()
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
  const send = (url: string) => app.inject({ method: 'POST', url, headers: { cookie }, payload: {} })
  const asked = await send('/transfer')
  t.equal(asked.statusCode, 307)
  t.equal(asked.cookies.find(({ name }) => name === proofOf('cookie'))?.maxAge, 0)
  refused(t, await send(`/transfer${asked.headers.location}`), 403, 'DEVICE_PROOF_REQUIRED')
  t.same(done, [])
  for (let time = 2; time <= 3; time++) {
    clock.advance(61)
    t.equal(await transfer(window, time), 200)
  }
  clock.advance(61)
  t.equal(await transfer(window, 4), 403)
  t.same(done, [{ amount: 2 }, { amount: 3 }])
  clock.advance(600)
  t.equal(await transfer(window, 5), 200)
  t.notOk(window.events.some(({ result }) => /Quota/.test(result)))
  t.equal(proxy.to(REFRESH).length, 3)
})
