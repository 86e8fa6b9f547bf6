import t from 'tap'
import {
  type CookiePayload,
  checkCookieSize,
  openCookie,
  sealCookie,
} from '../../../../plugins/lib/cookie/seal.js'
import { createKeyRing } from '../../../../plugins/lib/credentials/keys.js'
import { SIGNED_VALUE_MAX, signValue } from '../../../../plugins/lib/credentials/signed-value.js'
import { NEXT_SECRET, SECRET } from '../../../helpers/suite.js'

const keys = createKeyRing([SECRET]).purpose('cookie')
const content: CookiePayload = {
  v: 1,
  remember: false,
  sub: 'account-1',
  username: 'Zoë 🦊',
  role: 'user',
  epoch: 0,
  gen: 1,
  sid: 'sign-in-1',
  auth_time: 1_750_000_000,
  iat: 1_750_000_000,
  exp: 1_750_003_600,
}
const sealed = sealCookie(keys, content)

t.test('what was sealed is opened, any script included', async (t) => {
  t.strictSame(openCookie(keys, sealed), content)
  const withClaims = { ...content, ext: { team: { id: 7 } } }
  t.strictSame(openCookie(keys, sealCookie(keys, withClaims)), withClaims)
})

t.test('a cookie is of characters that need no encoding', async (t) => {
  t.match(sealed, /^[\w.-]+$/)
  t.equal(encodeURIComponent(sealed), sealed)
})

t.test('no character can be changed', async (t) => {
  for (let at = 0; at < sealed.length; at += 1) {
    const other = sealed[at] === 'A' ? 'B' : 'A'
    const altered = sealed.slice(0, at) + other + sealed.slice(at + 1)
    if (openCookie(keys, altered) !== null) t.fail(`character ${at}`)
  }
})

t.test('keys of another ring, or for another purpose, do not open it', async (t) => {
  t.equal(openCookie(createKeyRing([NEXT_SECRET]).purpose('cookie'), sealed), null)
  t.equal(openCookie(createKeyRing([SECRET]).purpose('access-token'), sealed), null)
  t.strictSame(openCookie(createKeyRing([NEXT_SECRET, SECRET]).purpose('cookie'), sealed), content)
})

t.test('a payload that we would not make is none, under a good MAC too', async (t) => {
  const make = (value: unknown) => signValue(keys, Buffer.from(JSON.stringify(value)).toString('base64url'))
  t.strictSame(openCookie(keys, make(content)), content)
  for (const [name, value] of Object.entries(content)) {
    const { [name as keyof CookiePayload]: _, ...without } = content
    t.equal(openCookie(keys, make(without)), null, `without ${name}`)
    for (const other of [null, [value], { value }, typeof value === 'string' ? 7 : 'text', -1, 1.5]) {
      t.equal(openCookie(keys, make({ ...content, [name]: other })), null, `${name}: ${other}`)
    }
  }
  for (const other of [null, [], 'text', 7, { ...content, extra: 1 }, { ...content, ext: 'text' }]) {
    t.equal(openCookie(keys, make(other)), null, JSON.stringify(other))
  }
})

t.test('what passes the size check fits, whatever else is in the cookie', async (t) => {
  const account = {
    id: 'i'.repeat(256),
    username: 'u'.repeat(256),
    role: 'r'.repeat(256),
    epoch: 2 ** 53 - 1,
  }
  let ext = { x: '' }
  for (let length = 3000; ; length -= 1) {
    ext = { x: 'x'.repeat(length) }
    try {
      checkCookieSize(account, ext)
      break
    } catch (error) {
      t.match(error, { code: 'CLAIM_INVALID' })
      if (length < 1000) throw error
    }
  }
  const { id: sub, ...rest } = account
  const longest = { ...content, ...rest, sub, remember: false, gen: 2 ** 48, sid: 's'.repeat(22), ext }
  const value = sealCookie(keys, longest)
  t.ok(value.length <= SIGNED_VALUE_MAX, `${value.length}`)
  t.ok(openCookie(keys, value))
})
