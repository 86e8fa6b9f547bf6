import t from 'tap'
import { checkPublicOrigins, isAddressOf } from '../../../../plugins/lib/dpop/address.js'

const ORIGINS = ['https://example.com', 'https://example.org:8443']

const SAME: readonly (readonly [htu: string, target: string])[] = [
  ['https://example.com/me', '/me'],
  ['https://example.org:8443/me', '/me'],
  ['https://example.com/me', '/me?page=2'],
  ['https://example.com/me?page=2', '/me'],
  ['https://example.com/me?a#b', '/me?c'],
  ['https://example.com/me', '/me#fragment'],
  ['HTTPS://EXAMPLE.com/me', '/me'],
  ['https://example.com:443/me', '/me'],
  ['https://example.com', '/'],
  ['https://example.com/', '/?'],
  ['https://example.com/a%2fb', '/a%2Fb'],
  ['https://example.com/%7Ealice', '/~alice'],
  ['https://example.com/~alice', '/%7ealice'],
  ['https://example.com/ä', '/%C3%A4'],
  ['https://example.com/a b', '/a%20b'],
  ['https://example.com/b/../me', '/me'],
]

const OTHER: readonly (readonly [htu: string, target: string])[] = [
  ['http://example.com/me', '/me'],
  ['https://example.com:8443/me', '/me'],
  ['https://example.org/me', '/me'],
  ['https://example.com.evil.com/me', '/me'],
  ['https://evil.com/example.com/me', '/me'],
  ['https://example.com@evil.com/me', '/me'],
  ['https://alice@example.com/me', '/me'],
  ['https://alice:pw@example.com/me', '/me'],
  ['https://example.com./me', '/me'],
  ['https://example.com/me/', '/me'],
  ['https://example.com/me', '/me/'],
  ['https://example.com/Me', '/me'],
  ['https://example.com//me', '/me'],
  ['https://example.com/a/b', '/a%2Fb'],
  ['https://example.com/me', '/api/me'],
  ['https://example.com/b', '/a/../b'],
  ['https://example.com/me', '/./me'],
  ['/me', '/me'],
  ['//example.com/me', '/me'],
  ['me', '/me'],
  ['', '/me'],
  ['wss://example.com/me', '/me'],
  ['https://example.com/me', 'https://example.com/me'],
  ['https://example.com/me', '*'],
]

t.test('an address is compared as RFC 3986 §6.2 would, without query and fragment', async (t) => {
  for (const [htu, target] of SAME) t.equal(isAddressOf(htu, ORIGINS, target), true, `${htu} and ${target}`)
})

t.test('any other address is another one', async (t) => {
  for (const [htu, target] of OTHER) t.equal(isAddressOf(htu, ORIGINS, target), false, `${htu} and ${target}`)
})

t.test('origins are those of https, or of this machine', async (t) => {
  const good = ['https://example.com', 'http://localhost:3000', 'http://127.0.0.1', 'http://[::1]:3000']
  t.strictSame(checkPublicOrigins(good), good)
  const bad: unknown[] = [
    undefined,
    [],
    'https://example.com',
    ['http://example.com'],
    ['https://example.com/'],
    ['https://example.com/path'],
    ['https://EXAMPLE.com'],
    ['https://example.com:443'],
    ['https://alice@example.com'],
    ['http://localhost.evil.com'],
    ['http://127.0.0.1.evil.com'],
    ['capacitor://localhost'],
    ['*'],
    [''],
    [1],
    ['https://example.com', null],
  ]
  for (const origins of bad)
    t.throws(() => checkPublicOrigins(origins), { code: 'OPTION_INVALID' }, JSON.stringify(origins))
})
