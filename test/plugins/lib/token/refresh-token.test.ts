import t from 'tap'
import { createKeyRing } from '../../../../plugins/lib/credentials/keys.js'
import { signValue } from '../../../../plugins/lib/credentials/signed-value.js'
import type { SignInRecord } from '../../../../plugins/lib/stores/contract.js'
import { deriveRefreshToken, openRefreshToken } from '../../../../plugins/lib/token/refresh-token.js'
import { OLD_SECRET, SECRET } from '../../../helpers/token-app.js'

const keys = createKeyRing([SECRET, OLD_SECRET]).purpose('refresh-token')

function record(changes: Partial<SignInRecord> = {}): SignInRecord {
  return {
    id: 'AAECAwQFBgcICQoLDA0ODw',
    accountId: 'a-1',
    mode: 'token',
    epoch: 0,
    generation: 1,
    createdAt: 0,
    lastSeenAt: 0,
    idleExpiresAt: 0,
    absoluteExpiresAt: 0,
    ip: '127.0.0.1',
    userAgent: '',
    sessionKey: null,
    refresh: { counter: 0, keyId: keys.signing.id, rotatedAt: 0 },
    claims: null,
    ...changes,
  }
}

const JKT = Buffer.alloc(32, 7).toString('base64url')

const at = (counter: number, keyId = keys.signing.id) => ({ counter, keyId, rotatedAt: 0 })

function derive(changes: Partial<SignInRecord> = {}): string {
  const token = deriveRefreshToken(keys, record(changes))
  if (token === null) throw new Error('no token was derived')
  return token
}

t.test('a refresh token gives back account, sign-in and counter', async (t) => {
  const accounts = ['a', 'a-1', 'Zoë', '用户', 'a\u0000b', '.', 'x'.repeat(256), '\ud800', '\ufffd', '😀']
  for (const accountId of accounts) {
    for (const counter of [0, 1, 255, 256, 2 ** 31, 2 ** 32, 2 ** 47 - 2]) {
      const token = derive({ accountId, refresh: at(counter) })
      t.strictSame(openRefreshToken(keys, token), { accountId, signInId: record().id, counter })
      const bound = deriveRefreshToken(keys, record({ accountId, refresh: at(counter) }), JKT)
      t.strictSame(openRefreshToken(keys, bound), { accountId, signInId: record().id, counter, jkt: JKT })
    }
  }
})

t.test('the same state always derives the same text, and another state another text', async (t) => {
  t.equal(derive(), derive())
  const others = [
    derive({ accountId: 'a-2' }),
    derive({ id: 'BAECAwQFBgcICQoLDA0ODw' }),
    derive({ refresh: at(1) }),
    derive({ refresh: at(0, keys.all[1]?.id) }),
    derive({ accountId: '\ud800' }),
    derive({ accountId: '\ufffd' }),
  ]
  t.equal(new Set([derive(), ...others]).size, 7)
})

t.test('a vector pins the format: changing it signs everybody out', async (t) => {
  t.equal(
    derive(),
    'v1.uUhf_PVs.AAAAAAAAAAECAwQFBgcICQoLDA0OD2EALQAxAA.lLqUACpLLKvTL8RXh1Tabcreer2OhQPJR9U1x7bNa0s',
  )
})

t.test('the key that the record names derives it, first in the ring or not', async (t) => {
  const token = derive({ refresh: at(3, keys.all[1]?.id) })
  t.match(openRefreshToken(keys, token), { counter: 3 })
  const old = createKeyRing([OLD_SECRET]).purpose('refresh-token')
  t.match(openRefreshToken(old, token), { counter: 3 })
  t.equal(openRefreshToken(createKeyRing([SECRET]).purpose('refresh-token'), token), null)
})

t.test('nothing is derived without a refresh state, or under a key that is gone', async (t) => {
  t.equal(deriveRefreshToken(keys, record({ refresh: null })), null)
  t.equal(deriveRefreshToken(keys, record({ refresh: at(0, 'AAAAAAAA') })), null)
})

t.test('every change of one character is refused', async (t) => {
  const token = derive()
  for (let index = 0; index < token.length; index++) {
    for (const character of ['A', 'B', 'z', '0', '-', '_', '.', '=', ' ', '\u00e9']) {
      if (token[index] === character) continue
      const changed = token.slice(0, index) + character + token.slice(index + 1)
      if (openRefreshToken(keys, changed) !== null) t.fail(changed)
    }
    if (openRefreshToken(keys, token.slice(0, index)) !== null) t.fail('a prefix passed')
    if (openRefreshToken(keys, token.slice(index + 1)) !== null) t.fail('a suffix passed')
  }
  t.match(openRefreshToken(keys, token), { counter: 0 })
})

t.test('content that we would not make is none, under a good MAC too', async (t) => {
  const genuine = Buffer.from(derive().split('.')[2] ?? '', 'base64url')
  const open = (content: string) => openRefreshToken(keys, signValue(keys, content))
  t.match(open(genuine.toString('base64url')), { accountId: 'a-1' })
  for (let length = 1; length <= 22; length++) t.equal(open(genuine.toString('base64url', 0, length)), null)
  t.equal(open(Buffer.concat([genuine, Buffer.from([0])]).toString('base64url')), null, 'half a character')
  t.equal(open(`${genuine.toString('base64url').slice(0, -1)}B`), null, 'another spelling')
  t.equal(open(`${genuine.toString('base64url')}A`), null, 'a character more than any bytes have')
  t.equal(openRefreshToken(keys, derive({ refresh: at(2 ** 48 - 1) })), null, 'the last counter')
})

t.test('what is no refresh token is refused', async (t) => {
  const token = derive()
  const cookie = signValue(createKeyRing([SECRET]).purpose('cookie'), token.split('.')[2] ?? '')
  const texts = ['', ' ', 'v1', 'v1...', `${token} `, ` ${token}`, `${token}\n`, `${token}=`, `${token}.`]
  const shapes = [
    token.toUpperCase(),
    `${token}${token}`,
    `v2${token.slice(2)}`,
    'x'.repeat(1_000_000),
    cookie,
  ]
  for (const text of [...texts, ...shapes]) t.equal(openRefreshToken(keys, text), null, text.slice(0, 40))
  for (const value of [undefined, null, 1, {}, [token], { toString: () => token }, true]) {
    t.equal(openRefreshToken(keys, value), null)
  }
})
