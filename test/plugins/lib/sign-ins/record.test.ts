import t from 'tap'
import { createKeyRing } from '../../../../plugins/lib/credentials/keys.js'
import { Bindings } from '../../../../plugins/lib/device/bindings.js'
import { importPublicJwk } from '../../../../plugins/lib/jws/public-key.js'
import { isBound } from '../../../../plugins/lib/sign-ins/record.js'
import { keyPair } from '../../../helpers/signing-key.js'

t.test('a sign-in counts as bound if its record names a key', async (t) => {
  const bindings = new Bindings(
    createKeyRing(['a secret that is long enough for tests']).purpose('device-binding'),
  )
  const ref = { mode: 'cookie', accountId: 'a', signInId: 's' } as const
  const key = importPublicJwk(keyPair('ES256').publicKey.export({ format: 'jwk' }))
  t.equal(isBound({}), false)
  t.equal(isBound({ binding: null }), false)
  t.equal(isBound({ binding: bindings.toNothing(ref) }), false)
  t.equal(isBound({ binding: bindings.toBeSettled(ref) }), false)
  t.equal(isBound({ binding: key && bindings.toDevice(ref, key) }), true)
  t.equal(isBound({ binding: `dpop:${key?.thumbprint}` }), true)
})
