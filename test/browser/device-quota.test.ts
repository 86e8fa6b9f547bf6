import { test } from 'tap'
import { openIncognito } from '../helpers/dbsc-browser.js'
import { proofOf } from '../helpers/device-app.js'
import { bindIn, call, signInFrom, startDeviceSite } from '../helpers/device-site.js'

const PROOF = proofOf('cookie')

/** In nine minutes of the browser, for a site; a registration takes one. */
const SIGNATURES = 6

test('a browser that may sign no more proves nothing, and can sign in again', async (t) => {
  const site = await startDeviceSite(t)
  const { clock, proxy } = site
  const window = await openIncognito(t)
  await bindIn(window, site)
  for (let signed = 2; signed <= SIGNATURES; signed++) {
    // Another challenge each time: the signature of the same one would be sent again.
    clock.advance(16 * 60)
    t.equal(await call(window, '/me'), '200')
    await window.expire(PROOF)
    t.equal(await call(window, '/me'), '200')
  }
  clock.advance(16 * 60)
  t.equal(await call(window, '/me'), '200')
  await window.expire(PROOF)
  t.equal(await call(window, '/me'), '403 DEVICE_PROOF_REQUIRED')
  t.match(proxy.to('/me').at(-1)?.sent['secure-session-skipped'], /^quota_exceeded;/)
  t.equal(await call(window, '/me'), '403 DEVICE_PROOF_REQUIRED', 'no word of a browser unbinds a sign-in')

  await signInFrom(window, site)
  await window.happened('bound', 'SigningQuotaExceeded')
  t.equal(await call(window, '/me'), '200')
  clock.advance(80)
  for (const time of ['first', 'second'])
    t.equal(await call(window, '/me'), '200', `not bound, the ${time} time`)
})
