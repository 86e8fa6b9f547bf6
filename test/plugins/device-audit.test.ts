import t from 'tap'
import type { AuditEvent } from '../../plugins/audit.js'
import { deviceApp, proofOf } from '../helpers/device-app.js'
import { keyPair } from '../helpers/signing-key.js'
import { ALICE, refused } from '../helpers/suite.js'

for (const mode of ['cookie', 'session'] as const) {
  t.test(`${mode}: a bound credential without its key causes an event, once a minute`, async (t) => {
    const routes: Parameters<typeof deviceApp>[1] = {
      routes: (app) => app.post('/keys', { onRequest: app.guard({ proof: 'now' }) }, async () => null),
    }
    const { bound, browser, app, clock, records, withCookies } = await deviceApp(t, routes)
    const events: AuditEvent[] = []
    const client = await bound(mode)
    const [device] = client.bound.values()
    if (!device) return t.fail('the sign-in was not bound')
    const jar = client.cookies()
    const long = jar.split('; ').find((pair) => !pair.includes('_proof')) ?? ''
    app.audit.subscribe((event) => void events.push(event))
    const [record] = await records()
    const signedAnew = { ...device, pair: keyPair('ES256') }
    const marked = { method: 'POST', url: '/keys?device_proof=asked', headers: { cookie: jar } } as const
    const uses = [
      ['missing', () => withCookies(long)],
      ['invalid', () => withCookies(`${long}; ${proofOf(mode)}=x`)],
      ['other_key', () => browser().refresh({ ...signedAnew })],
      ['missing', () => app.inject(marked)],
    ] as const
    for (const [reason, use] of uses) {
      clock.advance(100)
      for (let times = 0; times < 3; times++) refused(t, await use(), 403, 'DEVICE_PROOF_REQUIRED')
      const about = { type: 'proof_refused', accountId: ALICE.id, signInId: record?.id, mode, reason }
      t.match(events.splice(0), [about])
      t.equal(events.length, 0)
    }
    clock.advance(3000)
    t.equal((await client.get('/me')).statusCode, 200)
    t.strictSame(events, [], 'an honest browser causes none, also after a pause')
  })
}
