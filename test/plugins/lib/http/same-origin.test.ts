import Fastify, { type FastifyServerOptions } from 'fastify'
import t from 'tap'
import {
  checkLogoutOrigin,
  isSafeMethod,
  isSameOrigin,
  isUnsafe,
  parseOrigins,
} from '../../../../plugins/lib/http/same-origin.js'

const HOST = 'app.example:3000'
const PARTNER = 'https://partner.example'
const ALLOWED = parseOrigins([PARTNER, 'http://localhost:8080'])

type Headers = Record<string, string | string[]>

/** What the check says of requests with these headers. `host` is HOST unless it is among them. */
function makeApp(options: FastifyServerOptions = {}) {
  const app = Fastify(options)
  app.get('/', async (request) => isSameOrigin(request, ALLOWED))
  app.route({
    method: ['GET', 'HEAD', 'POST'],
    url: '/logout',
    handler: async (request) => checkLogoutOrigin(request, ALLOWED),
  })
  const passes = async (headers: Headers): Promise<boolean> => {
    return (await app.inject({ url: '/', headers: { host: HOST, ...headers } })).json()
  }
  const logout = async (method: 'GET' | 'HEAD' | 'POST', headers: Headers) => {
    const response = await app.inject({ method, url: '/logout', headers: { host: HOST, ...headers } })
    return response.statusCode === 200 ? 'passes' : `${response.statusCode} ${codeOf(response.body)}`
  }
  return { passes, logout }
}

const codeOf = (body: string): string => (body === '' ? '' : JSON.parse(body).code)

const { passes, logout } = makeApp()

t.test('Sec-Fetch-Site of same-origin or none passes, whatever Origin says', async (t) => {
  for (const site of ['same-origin', 'none']) {
    for (const origin of [`http://${HOST}`, 'https://evil.example', 'null', '', 'garbage', PARTNER]) {
      t.equal(await passes({ 'sec-fetch-site': site, origin }), true, `${site}, ${origin}`)
    }
    t.equal(await passes({ 'sec-fetch-site': site }), true, `${site} alone`)
  }
})

t.test('any other Sec-Fetch-Site passes for an allowed origin only', async (t) => {
  const others = [
    'same-site',
    'cross-site',
    '',
    'garbage',
    'Same-Origin',
    'SAME-ORIGIN',
    'NONE',
    'same-origin, none',
  ]
  others.push('same-origin, cross-site', 'none;x', '"none"', 'undefined', 'null', 'true', '?1')
  for (const site of others) {
    const headers = { 'sec-fetch-site': site }
    t.equal(await passes(headers), false, `${site} alone`)
    for (const origin of [`http://${HOST}`, 'https://evil.example', 'null', '', 'garbage']) {
      t.equal(await passes({ ...headers, origin }), false, `${site}, ${origin}`)
    }
    t.equal(await passes({ ...headers, origin: PARTNER }), true, `${site}, allowed origin`)
  }
})

t.test('with neither header a request passes: it is no browser’s', async (t) => {
  t.equal(await passes({}), true)
  t.equal(await passes({ referer: 'https://evil.example/' }), true)
})

t.test('without Sec-Fetch-Site, Origin must name the host', async (t) => {
  const rows: [host: string, origin: string, passes: boolean, what: string][] = [
    [HOST, 'http://app.example:3000', true, 'equal'],
    [HOST, 'https://app.example:3000', true, 'another scheme on the same host and port (TLS ends before us)'],
    [HOST, 'http://APP.Example:3000', true, 'upper case in Origin'],
    ['APP.EXAMPLE:3000', 'http://app.example:3000', true, 'upper case in Host'],
    [HOST, 'HTTP://app.example:3000', true, 'upper case in the scheme'],
    [HOST, 'http://app.example:3001', false, 'another port'],
    [HOST, 'http://app.example', false, 'no port'],
    ['app.example', 'http://app.example:3000', false, 'no port in Host'],
    [HOST, 'http://evil.example:3000', false, 'another host'],
    [HOST, 'http://sub.app.example:3000', false, 'a subdomain'],
    [HOST, 'http://example:3000', false, 'the parent domain'],
    [HOST, 'http://app.example.:3000', false, 'a dot at the end'],
    [HOST, 'http://app.example.evil.example:3000', false, 'a host that starts alike'],
    [HOST, 'http://evilapp.example:3000', false, 'a host that ends alike'],
    ['app.example:80', 'http://app.example', true, 'http’s default port in Host'],
    ['app.example:443', 'https://app.example', true, 'https’ default port in Host'],
    ['app.example', 'http://app.example:80', true, 'http’s default port in Origin'],
    ['app.example', 'https://app.example:443', true, 'https’ default port in Origin'],
    ['app.example:80', 'https://app.example', false, 'the default port of another scheme in Host'],
    ['app.example:443', 'http://app.example', false, 'the other one'],
    ['[::1]:3000', 'http://[::1]:3000', true, 'IPv6'],
    ['[::1]', 'http://[::1]', true, 'IPv6 without a port'],
    ['[::1]:80', 'http://[::1]', true, 'IPv6 with the default port'],
    ['[2001:DB8::1]', 'http://[2001:db8::1]', true, 'IPv6 in upper case'],
    ['[0:0:0:0:0:0:0:1]', 'http://[::1]', true, 'IPv6 written out'],
    ['[::1]:3000', 'http://[::2]:3000', false, 'another IPv6'],
    ['[::1]:3000', 'http://[::1]:3001', false, 'IPv6, another port'],
    ['127.0.0.1:3000', 'http://127.0.0.1:3000', true, 'IPv4'],
    ['127.0.0.1:3000', 'http://localhost:3000', false, 'another name of the same machine'],
    ['xn--bcher-kva.example', 'http://xn--bcher-kva.example', true, 'an international name'],
    [HOST, 'null', false, 'an opaque origin (a sandboxed frame, a data: page)'],
    [HOST, 'NULL', false, 'null in upper case'],
    [HOST, '', false, 'empty'],
    [HOST, ' ', false, 'a space'],
    [HOST, 'garbage', false, 'garbage'],
    [HOST, HOST, false, 'no scheme'],
    [HOST, `//${HOST}`, false, 'an empty scheme'],
    [HOST, 'http://', false, 'a scheme alone'],
    [HOST, 'file://', false, 'a file'],
    [HOST, 'about:blank', false, 'no host'],
    ['localhost', 'capacitor://localhost', false, 'an app’s own pages'],
    ['abcdef', 'chrome-extension://abcdef', false, 'an extension'],
    [HOST, `ws://${HOST}`, false, 'a scheme that has no pages'],
    [HOST, `http://${HOST}/`, false, 'a slash behind: no browser writes it'],
    [HOST, `http://${HOST}/path`, false, 'a path'],
    [HOST, `http://user@${HOST}`, false, 'a user'],
    [HOST, `http://evil.example@${HOST}`, false, 'a user that reads like a host'],
    [HOST, `http://${HOST}?`, false, 'a query'],
    [HOST, `http://${HOST}#`, false, 'a fragment'],
    [HOST, `http:\\\\${HOST}`, false, 'backslashes'],
    [HOST, `http:${HOST}`, false, 'no slashes'],
    [HOST, `http://${HOST}, http://${HOST}`, false, 'two, joined'],
    [HOST, `http://${HOST},http://evil.example`, false, 'two, joined without a space'],
    [HOST, `http://${HOST} http://evil.example`, false, 'two, by RFC 6454’s list'],
    [HOST, 'http://app.example:99999', false, 'no port’s number'],
    ['[::1', 'http://[::1', false, 'no host on both sides'],
    ['app.example:x', 'http://app.example:x', false, 'no port on both sides'],
    ['user@app.example', 'http://app.example', false, 'a user in Host'],
    ['app.example/x', 'http://app.example', false, 'a path in Host'],
    ['evil.example#', 'http://evil.example', false, 'a fragment in Host'],
    ['app.example, evil.example', 'http://app.example', false, 'two hosts in Host'],
    ['*', 'http://app.example', false, 'an asterisk in Host'],
    ['*', 'http://*', false, 'asterisks'],
  ]
  for (const [host, origin, expected, what] of rows) {
    t.equal(await passes({ host, origin }), expected, `${what}: ${origin} to ${host}`)
  }
})

t.test('an allowed origin passes, in its exact spelling', async (t) => {
  for (const origin of [PARTNER, 'http://localhost:8080']) t.equal(await passes({ origin }), true, origin)
  const close = [
    'http://partner.example',
    'https://partner.example:8443',
    'https://PARTNER.example',
    `${PARTNER}/`,
  ]
  close.push(
    'https://www.partner.example',
    'http://localhost',
    'https://localhost:8080',
    `${PARTNER}, ${PARTNER}`,
  )
  for (const origin of close) t.equal(await passes({ origin }), false, origin)
})

t.test('who forwarded a request says its host only where the proxy is trusted', async (t) => {
  const forwarded = {
    host: '10.0.0.1:8000',
    'x-forwarded-host': 'public.example',
    origin: 'https://public.example',
  }
  t.equal(await passes(forwarded), false)
  t.equal(await makeApp({ trustProxy: '127.0.0.1' }).passes(forwarded), true)
  t.equal(await makeApp({ trustProxy: '10.9.9.9' }).passes(forwarded), false)
  const evil = { ...forwarded, origin: 'https://evil.example' }
  t.equal(await makeApp({ trustProxy: '127.0.0.1' }).passes(evil), false)
})

t.test('a logout', async (t) => {
  const CROSS = '403 CROSS_SITE'
  const PREFETCH = '403 PREFETCH'

  t.test('from another site is refused by GET and by POST', async (t) => {
    for (const method of ['GET', 'POST'] as const) {
      for (const headers of [
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { origin: 'https://evil.example' },
        { origin: 'null' },
      ] as Headers[]) {
        t.equal(await logout(method, headers), CROSS, `${method} ${JSON.stringify(headers)}`)
      }
    }
  })

  t.test('from our own pages, an allowed origin or a program passes', async (t) => {
    for (const method of ['GET', 'POST'] as const) {
      const accept = 'text/html'
      for (const headers of [
        { 'sec-fetch-site': 'same-origin', accept },
        { 'sec-fetch-site': 'none', accept },
        { origin: `http://${HOST}`, accept },
        { origin: PARTNER, accept },
        { origin: PARTNER, 'sec-fetch-site': 'cross-site', accept },
        {},
      ] as Headers[]) {
        t.equal(await logout(method, headers), 'passes', `${method} ${JSON.stringify(headers)}`)
      }
    }
  })

  t.test('by GET, without either header, is refused where a page or an image is asked for', async (t) => {
    const pages = [
      'text/html',
      'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
      'TEXT/HTML',
      '*/*, text/html',
    ]
    const images = ['image/avif,image/webp,image/png,*/*;q=0.8', 'image/*', 'Image/PNG']
    for (const accept of [...pages, ...images]) {
      t.equal(await logout('GET', { accept }), CROSS, accept)
      t.equal(await logout('POST', { accept }), 'passes', `POST ${accept}: browsers send Origin with it`)
    }
    for (const accept of ['*/*', 'application/json', 'text/plain', '', 'imagine/x', 'text/x-html']) {
      t.equal(await logout('GET', { accept }), 'passes', accept)
    }
  })

  t.test('that is a prefetch is refused as such, wherever it comes from', async (t) => {
    const values = [
      'prefetch',
      'prefetch;prerender',
      'prefetch;anonymous-client-ip',
      'Prefetch',
      'prefetch, x',
      'x, prefetch',
    ]
    for (const name of ['sec-purpose', 'purpose']) {
      for (const value of values) {
        for (const site of ['same-origin', 'none', 'cross-site']) {
          const headers = { [name]: value, 'sec-fetch-site': site }
          t.equal(await logout('GET', headers), PREFETCH, JSON.stringify(headers))
        }
        t.equal(await logout('GET', { [name]: value }), PREFETCH, `${name}: ${value} alone`)
        t.equal(await logout('POST', { [name]: value }), PREFETCH, `POST ${name}: ${value}`)
      }
    }
    for (const value of ['', 'navigate', 'prefetched', 'noprefetch', 'undefined']) {
      t.equal(await logout('GET', { 'sec-purpose': value, purpose: value }), 'passes', JSON.stringify(value))
    }
  })

  t.test('by HEAD signs nobody out', async (t) => {
    for (const headers of [{}, { 'sec-fetch-site': 'same-origin' }, { origin: PARTNER }] as Headers[]) {
      t.match(await logout('HEAD', headers), '403', JSON.stringify(headers))
    }
  })
})

t.test('safe methods are those of RFC 9110, in upper case as they arrive', async (t) => {
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE']) t.equal(isSafeMethod(method), true, method)
  for (const method of [
    'POST',
    'PUT',
    'PATCH',
    'DELETE',
    'CONNECT',
    'QUERY',
    'PROPFIND',
    'get',
    '',
    'constructor',
  ]) {
    t.equal(isSafeMethod(method), false, method)
  }
})

t.test('a WebSocket handshake is unsafe, however its Upgrade is spelt', async (t) => {
  for (const upgrade of ['websocket', 'WebSocket', 'h2c, websocket', 'websocket/13', ' websocket']) {
    t.equal(isUnsafe({ method: 'GET', headers: { upgrade } }), true, upgrade)
  }
  for (const headers of [{}, { upgrade: 'h2c' }, { upgrade: '' }]) {
    t.equal(isUnsafe({ method: 'GET', headers }), false, JSON.stringify(headers))
  }
  t.equal(isUnsafe({ method: 'POST', headers: {} }), true)
})

t.test('allowed origins are web origins as browsers write them', async (t) => {
  for (const origin of [
    'https://app.example.com',
    'http://localhost:3000',
    'http://[::1]:3000',
    'https://xn--bcher-kva.example',
  ]) {
    t.ok(parseOrigins([origin]).has(origin), origin)
  }
  const refused = [
    '*',
    '',
    'null',
    'app.example.com',
    'https://',
    'https://app.example.com/',
    'https://app.example.com:443',
  ]
  refused.push(
    'https://APP.example.com',
    'https://*.example.com',
    'https://user@app.example.com',
    'https://a.example?',
    'https://bücher.example',
  )
  refused.push(
    'file:///',
    'ftp://a.example',
    'capacitor://localhost',
    'https://a.example,https://b.example',
    ' https://a.example',
  )
  for (const origin of refused) {
    t.throws(
      () => parseOrigins([PARTNER, origin]),
      { code: 'OPTION_INVALID', message: /allowedOrigins/ },
      origin,
    )
  }
})

t.test('the allowed origins are a copy', async (t) => {
  const origins = [PARTNER]
  const allowed = parseOrigins(origins)
  origins.push('https://evil.example')
  t.same([...allowed], [PARTNER])
})
