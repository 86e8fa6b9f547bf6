import t from 'tap'
import { configurationOf } from '../../../../plugins/lib/device/configuration.js'
import { cookieSpec } from '../../../../plugins/lib/http/cookies.js'

t.test('a configuration names the proof’s cookie with the attributes that it is set with', async (t) => {
  const spec = cookieSpec('identity_proof', true)
  const parts = { identifier: 'v1.x', refreshPath: '/device/refresh', spec, excluded: ['/static'] }
  t.strictSame(configurationOf(parts), {
    session_identifier: 'v1.x',
    refresh_url: '/device/refresh',
    scope: { include_site: false, scope_specification: [{ type: 'exclude', path: '/static' }] },
    credentials: [
      {
        type: 'cookie',
        name: '__Host-identity_proof',
        attributes: 'Path=/; Secure; HttpOnly; SameSite=Lax',
      },
    ],
    allowed_refresh_initiators: ['*'],
  })
})
