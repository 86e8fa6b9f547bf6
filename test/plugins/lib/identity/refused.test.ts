import t from 'tap'
import type { AuthMode, RefusalCode } from '../../../../plugins/lib/contract.js'
import { refusedError } from '../../../../plugins/lib/identity/refused.js'
import { headerMode } from '../../../helpers/suite.js'

const token = headerMode('token', { scheme: 'Bearer' })
const cookie = headerMode('cookie')

const refused = (code: RefusalCode, mode: AuthMode) => ({ code, mode })

t.test('each reason is an error of its own, with the status that is asked for', async (t) => {
  for (const code of [
    'TOKEN_EXPIRED',
    'TOKEN_INVALID',
    'CREDENTIAL_EXPIRED',
    'CREDENTIAL_INVALID',
    'SIGNED_OUT',
  ] as const) {
    t.match(refusedError(401, [token], [refused(code, token)]), { code, statusCode: 401 })
    t.match(refusedError(403, [token], [refused(code, token)]), { code, statusCode: 403 })
  }
  t.match(refusedError(401, [token], []), { code: 'NOT_SIGNED_IN', statusCode: 401 })
})

t.test('the first refusal is the one reported, the challenge tells of all', async (t) => {
  const both = [refused('CREDENTIAL_INVALID', cookie), refused('TOKEN_EXPIRED', token)]
  t.match(refusedError(401, [cookie, token], both), {
    code: 'CREDENTIAL_INVALID',
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
  })
})

t.test('a 401 always has a challenge', async (t) => {
  const challenge = (modes: AuthMode[]) =>
    (refusedError(401, modes, []) as unknown as { headers: Record<string, string> }).headers[
      'www-authenticate'
    ]
  t.equal(challenge([token, cookie]), 'Bearer')
  t.equal(challenge([cookie]), 'Cookie')
  t.equal(challenge([]), 'Cookie')
})

t.test('a refusal is made anew each time, and its status does not stick', async (t) => {
  refusedError(403, [token], [])
  t.match(refusedError(401, [token], []), { statusCode: 401 })
})
