import Fastify from 'fastify'
import t from 'tap'
import { ownPath, safeNext } from '../../../../plugins/lib/http/safe-next.js'

const OWN = [
  ['/', '/'],
  ['/cart', '/cart'],
  ['/cart?item=1&next=//evil.example#top', '/cart?item=1&next=//evil.example#top'],
  ['/a/../b', '/b'],
  ['/caf\u00e9', '/caf%C3%A9'],
  ['/a//b', '/a//b'],
  ['/https://evil.example', '/https://evil.example'],
  ['/:80', '/:80'],
  ['/a%2fb', '/a%2fb'],
  ['/a%252f%2e%2eb/100%25', '/a%252f%2e%2eb/100%25'],
  ['/@evil.example', '/@evil.example'],
] as const

const FOREIGN = [
  ...['', 'cart', '?x', '#x', 'https://evil.example', 'https:evil.example', 'http:/evil.example'],
  ...['javascript:alert(1)', 'data:text/html,x', 'mailto:a@b', 'blob:x', ' /cart', '\u00a0//evil.example'],
  ...['//evil.example', '///evil.example', '/\\evil.example', '\\/evil.example', '\\\\evil.example'],
  ...['/cart\\..\\..\\evil', '/\tevil', '/\t/evil.example', '/\n/evil.example', '/\r\n/evil.example'],
  ...[
    '\t//evil.example',
    '/\u0000/evil.example',
    '/\u007f',
    '/\u0085/evil.example',
    '/cart\r\nset-cookie: a=b',
  ],
  ...['/.//evil.example', '/..//evil.example', '/a/..//evil.example', '/%2e//evil.example'],
  ...['/%2e%2e//evil.example', '/.%2E//evil.example', '/a/%2e%2e//evil.example'],
  ...[
    '/%2fevil.example',
    '/%2Fevil.example',
    '/%5cevil.example',
    '/%5C%5cevil.example',
    '/./%2fevil.example',
  ],
  ...['/.%2f/evil.example', '/a/..%2f/evil.example', '/a%2f..%2f/evil.example', '/..%5c/evil.example'],
  ...['/%252fevil.example', '/%25252fevil.example', '/.%252f/evil.example', '/%252e%252e//evil.example'],
  ...['/%09/evil.example', '/%0a/evil.example', '/a/..%0D//evil.example', '/%2509%252f%0aevil.example'],
  `/${'a'.repeat(2048)}`,
]

t.test('a path of this origin is kept as a browser reads it', async (t) => {
  for (const [address, path] of OWN) t.equal(ownPath(address), path, address)
})

t.test('an address that may leave this origin is none', async (t) => {
  for (const address of FOREIGN) t.equal(ownPath(address), null, JSON.stringify(address))
  for (const other of [undefined, null, 1, ['/cart'], { toString: () => '/cart' }])
    t.equal(ownPath(other), null)
})

t.test('what is kept stays on this origin for a browser, however often it is read', async (t) => {
  for (const address of [...OWN.map(([each]) => each), ...FOREIGN]) {
    const path = ownPath(address)
    if (path === null) continue
    t.equal(new URL(path, 'https://own.example').origin, 'https://own.example', address)
    t.equal(ownPath(path), path, address)
  }
})

/** What addresses of another origin are made of. */
const PIECES = [
  ...['/', '\\', '.', '..', ':', '@', '?', '#', ' ', '\t', '\r\n', '\u0000', '\u00a0', '\ufeff', '\ufffe'],
  ...['%2f', '%5C', '%2e', '%09', '%0d', '%252f', '%u002f', '\uff0f', '\u2215'],
  ...['a', 'evil.example', 'https:', 'javascript:', '[::1]', '\ud800'],
]

/** All addresses of so many pieces. */
function addresses(pieces: number): string[] {
  if (pieces === 0) return ['']
  return addresses(pieces - 1).flatMap((rest) => PIECES.map((piece) => piece + rest))
}

t.test('of all addresses of three hostile pieces, none that is kept leaves this origin', async (t) => {
  const { origin } = new URL('https://own.example')
  const all = addresses(3).flatMap((address) => [address, `/${address}`])
  const kept = all.map(ownPath).filter((path) => path !== null)
  t.ok(kept.length > 1000 && kept.length < all.length / 2, `${kept.length} of ${all.length}`)
  const leaves = (path: string) =>
    new URL(path, `${origin}/login/`).origin !== origin || ownPath(path) !== path
  t.same(kept.filter(leaves), [])
  // A proxy may decode once more than a browser.
  t.same(
    kept.filter((path) => /^[/\\]{2}/.test(path.replaceAll(/%(2f|5c)/gi, '/'))),
    [],
  )
})

t.test('a request names its next path in its query, once', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.get('/', (request) => ({ next: safeNext(request) }))
  const next = async (url: string) => (await app.inject(url)).json().next
  t.equal(await next('/?next=%2Fcart%3Fitem%3D1'), '/cart?item=1')
  for (const url of ['/', '/?next=', '/?next=%2F%2Fevil.example', '/?next=/a&next=/b', '/?next[]=/a'])
    t.equal(await next(url), '/', url)
})
