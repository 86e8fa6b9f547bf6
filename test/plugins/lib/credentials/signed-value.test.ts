import { createHmac } from 'node:crypto'
import t from 'tap'
import { createKeyRing, type Purpose } from '../../../../plugins/lib/credentials/keys.js'
import { SIGNED_VALUE_MAX, signValue, verifyValue } from '../../../../plugins/lib/credentials/signed-value.js'

const A = 'secret a: 7f3c1e0b9d5a4826c1f0e3d2'
const B = 'secret b: 0a9b8c7d6e5f40312233445566'
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const PAYLOAD = Buffer.from('{"sub":"1"}').toString('base64url')

const keysOf = (secrets: readonly string[], purpose: Purpose = 'cookie') =>
  createKeyRing(secrets).purpose(purpose)
const keys = keysOf([A])
const value = signValue(keys, PAYLOAD)

t.test('a signed value is version, key id, payload and the MAC over all of these', async (t) => {
  const signed = `v1.${keys.signing.id}.${PAYLOAD}`
  const mac = createHmac('sha256', keys.signing.key).update(signed).digest('base64url')
  t.equal(value, `${signed}.${mac}`)
  t.equal(verifyValue(keys, value), PAYLOAD)
})

t.test('every other character in every place is refused', async (t) => {
  const others = `${BASE64URL}.%=+/ "\n\0é`
  const accepted: string[] = []
  for (const [place, was] of [...value].entries()) {
    for (const other of others) {
      const altered = value.slice(0, place) + other + value.slice(place + 1)
      if (other !== was && verifyValue(keys, altered) !== null) accepted.push(altered)
    }
  }
  t.same(accepted, [])
})

t.test('every truncation and every removal of one character is refused', async (t) => {
  const accepted: string[] = []
  for (let place = 0; place < value.length; place += 1) {
    const altered = [
      value.slice(0, place),
      value.slice(place + 1),
      value.slice(0, place) + value.slice(place + 1),
    ]
    accepted.push(...altered.filter((text) => verifyValue(keys, text) !== null))
  }
  t.same(accepted, [])
})

t.test('every insertion of one character, at the ends too, is refused', async (t) => {
  const accepted: string[] = []
  for (let place = 0; place <= value.length; place += 1) {
    for (const more of ['A', '0', '_', '.', '=', ' ', '\n', '\r', '\t', '"', ';', '%']) {
      const altered = value.slice(0, place) + more + value.slice(place)
      if (verifyValue(keys, altered) !== null) accepted.push(JSON.stringify(altered))
    }
  }
  t.same(accepted, [])
})

t.test('the other spellings of the same MAC bytes are refused', async (t) => {
  const last = value.slice(-1)
  const bytes = Buffer.from(value.slice(-43), 'base64url')
  const twins = [...BASE64URL]
    .filter((character) => character !== last)
    .map((character) => value.slice(0, -1) + character)
    .filter((text) => Buffer.from(text.slice(-43), 'base64url').equals(bytes))
  t.equal(twins.length, 3, 'base64url leaves two bits of the last character unused')
  for (const twin of twins) t.equal(verifyValue(keys, twin), null, twin.slice(-1))
})

t.test('a value is taken only in the spelling it was sent out in', async (t) => {
  const spellings = {
    '%-encoded dots': value.replaceAll('.', '%2E'),
    'a %-encoded letter': value.replace('v', '%76'),
    'all %-encoded': [...value].map((c) => `%${c.charCodeAt(0).toString(16)}`).join(''),
    quoted: `"${value}"`,
    'upper case': value.toUpperCase(),
    'padded MAC': `${value}=`,
    'base64 instead of base64url': value.replaceAll('-', '+').replaceAll('_', '/').replace('v1', 'v1 '),
    doubled: value + value,
    'doubled with a comma': `${value},${value}`,
  }
  for (const [what, text] of Object.entries(spellings)) t.equal(verifyValue(keys, text), null, what)
})

t.test('the parts of two genuine values do not make a third', async (t) => {
  const other = signValue(keys, Buffer.from('{"sub":"2"}').toString('base64url'))
  const [v, id, payload, mac] = value.split('.')
  const [, , otherPayload, otherMac] = other.split('.')
  t.equal(verifyValue(keys, [v, id, payload, otherMac].join('.')), null)
  t.equal(verifyValue(keys, [v, id, otherPayload, mac].join('.')), null)
  t.equal(verifyValue(keys, [v, id, `${payload}${otherPayload}`, mac].join('.')), null)
  t.equal(verifyValue(keys, other), otherPayload)
})

t.test('a value made for another purpose, version or secret is refused', async (t) => {
  for (const purpose of ['session-id', 'session-data', 'access-token', 'refresh-token'] as const) {
    t.equal(verifyValue(keys, signValue(keysOf([A], purpose), PAYLOAD)), null, purpose)
    t.equal(verifyValue(keysOf([A], purpose), value), null, `as ${purpose}`)
  }
  const v2 = `v2.${keys.signing.id}.${PAYLOAD}`
  t.equal(
    verifyValue(keys, `${v2}.${createHmac('sha256', keys.signing.key).update(v2).digest('base64url')}`),
    null,
  )
  t.equal(verifyValue(keysOf([B]), value), null)
})

t.test('an unknown key id is refused even under a MAC of a known key', async (t) => {
  for (const id of [keysOf([B]).signing.id, 'AAAAAAAA', '________', '__proto_']) {
    const signed = `v1.${id}.${PAYLOAD}`
    const mac = createHmac('sha256', keys.signing.key).update(signed).digest('base64url')
    t.equal(verifyValue(keys, `${signed}.${mac}`), null, id)
  }
})

t.test('what has not the shape of a signed value is refused', async (t) => {
  const id = keys.signing.id
  for (const text of [
    '',
    '.',
    '...',
    'v1',
    `v1.${id}`,
    `v1.${id}..`,
    `v1.${id}.${PAYLOAD}.`,
    `v1..${PAYLOAD}.x`,
    'null',
    'a'.repeat(100),
  ]) {
    t.equal(verifyValue(keys, text), null, JSON.stringify(text))
  }
})

t.test('a value that no browser would keep is refused without a look at its MAC', async (t) => {
  const overhead = signValue(keys, 'A').length - 1
  const longest = signValue(keys, 'A'.repeat(SIGNED_VALUE_MAX - overhead))
  t.equal(longest.length, SIGNED_VALUE_MAX)
  t.equal(verifyValue(keys, longest)?.length, SIGNED_VALUE_MAX - overhead)
  t.equal(verifyValue(keys, signValue(keys, 'A'.repeat(SIGNED_VALUE_MAX - overhead + 1))), null)
  t.equal(verifyValue(keys, 'v1.'.repeat(1 << 20)), null)
})

t.test('the three deploys of a rotation refuse nothing that any of them signed', async (t) => {
  const deploys = [[A], [A, B], [B, A], [B]].map((secrets) => keysOf(secrets))
  for (const [index, signing] of deploys.entries()) {
    const signed = signValue(signing, PAYLOAD)
    for (const neighbour of deploys.slice(Math.max(0, index - 1), index + 2)) {
      t.equal(verifyValue(neighbour, signed), PAYLOAD, `signed at deploy ${index}`)
    }
  }
  t.equal(verifyValue(keysOf([B]), value), null, 'after the last one the old secret is gone')
  t.equal(
    verifyValue(keysOf([A]), signValue(keysOf([B]), PAYLOAD)),
    null,
    'before the first the new one is unknown',
  )
})
