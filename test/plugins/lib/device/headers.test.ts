import type { FastifyRequest } from 'fastify'
import t from 'tap'
import {
  challengeField,
  identifierOf,
  registrationField,
  responseOf,
} from '../../../../plugins/lib/device/headers.js'

const request = (headers: Record<string, string | string[]>) => ({ headers }) as FastifyRequest
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const jwt = (header: object, payload: object = { jti: 'c' }) => `${encode(header)}.${encode(payload)}.AAAA`
const GOOD = { alg: 'ES256', typ: 'dbsc+jwt' }

t.test('an identifier comes quoted or not, with parameters that do not matter', async (t) => {
  const of = (value: string | string[]) => identifierOf(request({ 'sec-secure-session-id': value }))
  for (const field of ['v1.a-_Z.9', '"v1.a-_Z.9"', '"v1.a-_Z.9";x="y"', 'v1.a-_Z.9;x'])
    t.equal(of(field), 'v1.a-_Z.9', field)
  const odd = [
    '',
    '"',
    '""',
    '"a',
    'a"',
    'a b',
    'a, b',
    '"a", "b"',
    'é',
    '"a\\"b"',
    ':YQ==:',
    '?1',
    ['a', 'b'],
  ]
  for (const field of odd) t.equal(of(field), null, String(field))
  t.equal(identifierOf(request({})), null)
})

t.test('a response is a JWT of the right type, signed by an algorithm that was offered', async (t) => {
  const of = (value: string) => responseOf(request({ 'secure-session-response': value }))
  for (const alg of ['ES256', 'RS256']) {
    const text = jwt({ ...GOOD, alg })
    for (const field of [text, `"${text}"`, `"${text}";a=1`]) t.equal(of(field)?.payload.jti, 'c', field)
  }
  const bad = [
    ...[{}, { alg: 'ES256' }, { ...GOOD, alg: 'none' }, { ...GOOD, alg: 'EdDSA' }, { ...GOOD, alg: 'HS256' }],
    ...[
      { ...GOOD, typ: 'jwt' },
      { ...GOOD, typ: 'DBSC+JWT' },
      { ...GOOD, crit: ['x'] },
    ],
  ]
  for (const header of bad) t.equal(of(jwt(header)), null, JSON.stringify(header))
  for (const text of ['', 'a.b.c', 'a.b', `${jwt(GOOD)}.x`, `${jwt(GOOD)}=`, `${jwt(GOOD)}, ${jwt(GOOD)}`])
    t.equal(of(text), null, text)
  t.equal(of(jwt(GOOD, { jti: 'x'.repeat(8000) })), null, 'too long')
  t.equal(responseOf(request({})), null)
})

t.test('fields are written as browsers read them', async (t) => {
  t.equal(challengeField('p.1', 'v1.x'), '"p.1";id="v1.x"')
  t.equal(
    registrationField('/device/register', 'r.1', 'v1.c'),
    '(ES256 RS256);path="/device/register";challenge="r.1";authorization="v1.c"',
  )
})
