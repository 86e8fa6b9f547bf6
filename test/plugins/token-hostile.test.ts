import { createSign, generateKeyPairSync } from 'node:crypto'
import t, { type Test } from 'tap'
import { forge, keyOf, parts, signed } from '../helpers/forge.js'
import { OLD_SECRET, SECRET, START, tokenApp } from '../helpers/token-app.js'

/*
 * Most of these are signed with the genuine key: what is refused is refused for its content, even if
 * somebody could sign it.
 */

const { key } = keyOf(SECRET)
const NOW = START / 1000
type Fields = Record<string, unknown>

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const without = (fields: Fields, name: string) =>
  Object.fromEntries(Object.entries(fields).filter(([field]) => field !== name))

function hostileHeaders(header: Fields, payload: Fields): [string, string][] {
  const list: [string, unknown][] = [
    ...['none', 'None', 'HS384', 'HS512', 'RS256', 'ES256', 'EdDSA', 'hs256', '', null, 1, ['HS256']].map(
      (alg): [string, unknown] => [`alg ${JSON.stringify(alg)}`, { ...header, alg }],
    ),
    ...['JWT', 'AT+JWT', 'application/at+jwt', 'at+jwt ', '', null, 1, ['at+jwt']].map(
      (typ): [string, unknown] => [`typ ${JSON.stringify(typ)}`, { ...header, typ }],
    ),
    ...[
      'unknown0',
      '',
      '../../etc/passwd',
      '/dev/null',
      "' OR 1=1",
      '__proto__',
      null,
      0,
      [header.kid],
      {},
    ].map((kid): [string, unknown] => [`kid ${JSON.stringify(kid)}`, { ...header, kid }]),
    ...['alg', 'typ', 'kid'].map((name): [string, unknown] => [`no ${name}`, without(header, name)]),
    ['crit of an unknown name', { ...header, crit: ['exp'] }],
    ['crit, empty', { ...header, crit: [] }],
    ['b64 false', { ...header, b64: false, crit: ['b64'] }],
    ['jwk', { ...header, jwk: { kty: 'oct', k: 'AAAA' } }],
    ['jku', { ...header, jku: 'https://example.com/jwks.json' }],
    ['x5u', { ...header, x5u: 'https://example.com/cert' }],
    ['x5c', { ...header, x5c: ['AAAA'] }],
    ['cty', { ...header, cty: 'JWT' }],
    ['another order', { kid: header.kid, typ: header.typ, alg: header.alg }],
    ['a name twice', `{"alg":"none","alg":"HS256","typ":"at+jwt","kid":"${header.kid}"}`],
    ['__proto__', `{"alg":"HS256","typ":"at+jwt","kid":"${header.kid}","__proto__":{}}`],
    ['an array', [header]],
    ['null', 'null'],
    ['a number', '1'],
    ['no JSON', '{'],
  ]
  return list.map(([name, head]) => [`header: ${name}`, forge(head, payload, key)])
}

function hostileClaims(header: Fields, payload: Fields): [string, string][] {
  const required = Object.keys(payload)
  const numbers = ['epoch', 'gen', 'auth_time', 'iat', 'exp']
  const odd = [null, true, [], {}, ['a'], '']
  const literal = (name: string, text: string) =>
    JSON.stringify({ ...payload, [name]: '@' }).replace('"@"', text)
  const list: [string, unknown][] = [
    ...required.map((name): [string, unknown] => [`no ${name}`, without(payload, name)]),
    ...required.flatMap((name) =>
      odd.map((value): [string, unknown] => [
        `${name} ${JSON.stringify(value)}`,
        { ...payload, [name]: value },
      ]),
    ),
    ...numbers.flatMap((name) =>
      ['1e400', '-1e400', '-1', '1.5', '"1"', '9007199254740993', '-0.1'].map((text): [string, unknown] => [
        `${name} ${text}`,
        literal(name, text),
      ]),
    ),
    ...['iss', 'aud', 'sub', 'jti', 'sid'].map((name): [string, unknown] => [
      `${name} 1`,
      literal(name, '1'),
    ]),
    ['sub too long', { ...payload, sub: 'x'.repeat(257) }],
    ['ext an array', { ...payload, ext: [] }],
    ['ext text', { ...payload, ext: 'x' }],
    ['iss of another', { ...payload, iss: 'somebody-else' }],
    ['aud of another', { ...payload, aud: 'somebody-else' }],
    ['aud a list with ours', { ...payload, aud: ['fastify-identity', 'b'] }],
    ['exp = iat', { ...payload, exp: NOW }],
    ['exp < iat', { ...payload, exp: NOW - 1 }],
    ['lifetime above the limit', { ...payload, exp: NOW + 901 }],
    ['a year', { ...payload, exp: NOW + 366 * 86_400 }],
    ['issued in the future', { ...payload, iat: NOW + 6, exp: NOW + 600 }],
    ['nbf in the future', { ...payload, nbf: NOW + 60 }],
    ['nbf in the past', { ...payload, nbf: NOW - 60 }],
    ['an unknown claim', { ...payload, admin: true }],
    ['__proto__', JSON.stringify(payload).replace('{', '{"__proto__":{"role":"admin"},')],
    ['an array', [payload]],
    ['null', 'null'],
    ['a number', '1'],
    ['text', '"x"'],
    ['no JSON', '{'],
    ['empty object', {}],
  ]
  return list.map(([name, body]) => [`payload: ${name}`, forge(header, body, key)])
}

function hostileKeys(header: Fields, payload: Fields): [string, string][] {
  const cookie = keyOf(SECRET, 'cookie').key
  const other = keyOf(OLD_SECRET)
  const unsigned = `${encode({ ...header, alg: 'none' })}.${encode(payload)}`
  const input = `${encode({ ...header, alg: 'RS256' })}.${encode(payload)}`
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const rsa = createSign('sha256').update(input).sign(privateKey, 'base64url')
  return [
    ['another environment’s key under our key id', forge(header, payload, other.key)],
    ['another environment’s token', forge({ ...header, kid: other.id }, payload, other.key)],
    ['the cookie key', forge(header, payload, cookie)],
    ['the refresh key', forge(header, payload, keyOf(SECRET, 'refresh-token').key)],
    ['HS512 in truth', forge({ ...header, alg: 'HS512' }, payload, key, 'sha512')],
    ['HS512 under an HS256 header', forge(header, payload, key, 'sha512')],
    ['alg none, empty signature', `${unsigned}.`],
    ['alg none, two parts', unsigned],
    ['alg none, our signature', signed(unsigned, key)],
    ['RS256 of a stranger', `${input}.${rsa}`],
  ]
}

/** Other spellings of the last character's unused bits, which decode to the same bytes. */
function respell(part: string): string[] {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const bytes = Buffer.from(part, 'base64url')
  return [...alphabet]
    .map((character) => part.slice(0, -1) + character)
    .filter((other) => other !== part && Buffer.from(other, 'base64url').equals(bytes))
}

function hostileSpellings(token: string, header: Fields, payload: Fields): [string, string][] {
  const [head = '', body = '', signature = ''] = token.split('.')
  const padded = { ...payload, username: 'al' }
  // A body whose last character has unused bits, so that it has another spelling.
  const bodies = [payload, padded, { ...payload, username: 'a' }].flatMap((claims) => respell(encode(claims)))
  return [
    ...respell(signature).map((other): [string, string] => [
      'signature spelt otherwise',
      `${head}.${body}.${other}`,
    ]),
    ...bodies.map((other): [string, string] => [
      'body spelt otherwise, signed',
      signed(`${head}.${other}`, key),
    ]),
    ['trailing =', `${token}=`],
    ['trailing ==', `${token}==`],
    ['standard base64', `${head}.${body}.${Buffer.from(signature, 'base64url').toString('base64')}`],
    ['one part', head],
    ['two parts', `${head}.${body}`],
    ['four parts', `${token}.${signature}`],
    ['five parts, as JWE', `${token}.a.b`],
    ['a dot behind', `${token}.`],
    ['a dot before', `.${token}`],
    ['empty header', `.${body}.${signature}`],
    ['empty body', `${head}..${signature}`],
    ['empty body, signed', signed(`${head}.`, key)],
    ['empty signature', `${head}.${body}.`],
    ['dots', '..'],
    ['a 1-character signature', `${head}.${body}.A`],
    ['lower case', token.toLowerCase()],
    ['twice', token + token],
    ['a megabyte', 'a'.repeat(1_000_000)],
    ['a megabyte of dots', '.'.repeat(1_000_000)],
    ['a genuine one above the cap', forge(header, { ...payload, ext: { a: 'x'.repeat(3000) } }, key)],
  ]
}

async function hostileApp(t: Test) {
  const parties = await tokenApp(t)
  const pair = await parties.login()
  const { header, payload } = parts(pair.token)
  return { ...parties, pair, header, payload }
}

t.test(
  'the forge makes a token that is recognised, so that what follows is refused for its reason',
  async (t) => {
    const { me, header, payload } = await hostileApp(t)
    t.equal((await me(forge(header, payload, key))).statusCode, 200)
    t.equal((await me(forge(header, { ...payload, ext: { a: 1 } }, key))).statusCode, 200)
    t.equal((await me(forge(header, { ...payload, iat: NOW + 5, exp: NOW + 900 }, key))).statusCode, 200)
  },
)

t.test('a hostile token is TOKEN_INVALID, touches no state, and harms nobody', async (t) => {
  const { app, me, calls, pair, header, payload } = await hostileApp(t)
  const hostile = [
    ...hostileHeaders(header, payload),
    ...hostileClaims(header, payload),
    ...hostileKeys(header, payload),
    ...hostileSpellings(pair.token, header, payload),
    ['a refresh token', pair.refreshToken] as const,
  ]
  calls.length = 0
  for (const [name, token] of hostile) {
    const answer = await me(token)
    t.equal(answer.statusCode, 401, name)
    t.equal(answer.json().code, 'TOKEN_INVALID', name)
    t.equal(answer.headers['www-authenticate'], 'Bearer error="invalid_token"', name)
    const logout = await app.inject({
      method: 'POST',
      url: '/logout',
      headers: { authorization: `Bearer ${token}` },
    })
    t.same(logout.json(), { ended: false }, `${name}: nothing to log out of`)
  }
  t.same(calls, [])
  t.equal((await me(pair.token)).statusCode, 200)
})

t.test('no text with white space, control or other characters in it is even a token', async (t) => {
  const { me, calls, pair, header, payload } = await hostileApp(t)
  calls.length = 0
  const padded = signed(`${encode(header)}.${encode(payload)}=`, key)
  t.equal((await me(padded)).json().code, 'CREDENTIAL_AMBIGUOUS', 'padding inside')
  for (const end of [' ', '\n', '\r\n', '\t', '\u0000', '\u00a0', '\u200b', 'é', '%3D', ',', ';', '"']) {
    for (const token of [pair.token + end, end + pair.token]) {
      const answer = await me(token)
      t.equal(answer.statusCode, 400, JSON.stringify(end))
      t.equal(answer.json().code, 'CREDENTIAL_AMBIGUOUS')
    }
  }
  t.same(calls, [])
})

t.test('a good token with any one character changed, dropped or doubled is refused', async (t) => {
  const { app, me, calls, pair } = await hostileApp(t)
  calls.length = 0
  const { token } = pair
  const mode = app.authModes.get('token')
  const request = (text: string) => ({
    headers: { authorization: `Bearer ${text}` },
    raw: { rawHeaders: [] },
  })
  for (let index = 0; index < token.length; index++) {
    const character = token.charAt(index)
    const swapped = character === character.toLowerCase() ? character.toUpperCase() : character.toLowerCase()
    const others = [...'AQgw09-_.~', swapped, '', character + character].filter(
      (other) => other !== character,
    )
    for (const other of others) {
      const changed = token.slice(0, index) + other + token.slice(index + 1)
      const resolution = await mode.resolve(Object.assign(Object.create(null), request(changed)))
      if (resolution.kind !== 'refused' || resolution.code !== 'TOKEN_INVALID') t.fail(`${index}: ${other}`)
    }
  }
  t.same(calls, [])
  t.equal((await me(token)).statusCode, 200)
})

t.test('an access token, a cookie and a stranger’s token are no refresh tokens', async (t) => {
  const { post, refresh, calls, pair, me } = await hostileApp(t)
  const { token, refreshToken } = pair
  const cut = refreshToken.slice(0, -1)
  const last = refreshToken.at(-1) === 'A' ? 'B' : 'A'
  const texts = [
    '',
    token,
    cut,
    cut + last,
    `${refreshToken} `,
    `${refreshToken}=`,
    'x'.repeat(100_000),
    'v1.a.b.c',
  ]
  calls.length = 0
  for (const text of texts) {
    const answer = await refresh(text)
    t.equal(answer.statusCode, 401)
    t.equal(answer.json().code, 'REFRESH_REFUSED')
    t.same((await post('/revoke', { token: text })).json(), { ended: false })
  }
  t.same(calls, [])
  t.equal((await me(token)).statusCode, 200)
  t.equal((await refresh(refreshToken)).statusCode, 200)
})
