import { type AddressInfo, connect } from 'node:net'
import cors from '@fastify/cors'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import csrf, { type CsrfOptions } from '../../plugins/csrf.js'
import { sendRaw } from '../helpers/http.js'

const METHODS = [
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'QUERY',
  'PROPFIND',
] as const
const PARTNER = 'https://partner.example'

/** An app with one route for each part of the check; `handled` lists what was let through. */
async function makeApp(options: CsrfOptions = { allowedOrigins: [PARTNER], cors: false }) {
  const app = Fastify()
  // Fastify knows QUERY already, and wants a body with it.
  for (const method of ['QUERY', 'PROPFIND']) app.addHttpMethod(method, { overrideExisting: true })
  await app.register(csrf, options)
  const handled: string[] = []
  const handler = async (request: { method: string; url: string }) => {
    handled.push(`${request.method} ${request.url}`)
    return 'done'
  }
  app.post('/login', { onRequest: app.csrf.sameOrigin, handler })
  app.post('/login_late', { preHandler: app.csrf.sameOrigin, handler })
  app.route({ method: ['GET', 'POST'], url: '/logout', preHandler: app.csrf.logout, handler })
  app.route({
    method: [...METHODS],
    url: '/recognised',
    preHandler: async (request) => app.csrf.checkAmbient(request),
    handler,
  })
  return { app, handled }
}

t.test('sameOrigin refuses another site before the handler runs', async (t) => {
  const { app, handled } = await makeApp()
  for (const url of ['/login', '/login_late']) {
    for (const headers of [
      { origin: 'https://evil.example' },
      { 'sec-fetch-site': 'cross-site' },
      { origin: 'null' },
    ] as object[]) {
      const response = await app.inject({ method: 'POST', url, headers: { ...headers } })
      t.equal(response.statusCode, 403)
      t.equal(response.json().code, 'CROSS_SITE')
    }
  }
  t.same(handled, [])
})

t.test('sameOrigin lets our own pages, allowed origins and programs pass', async (t) => {
  const { app, handled } = await makeApp()
  const passing: Record<string, string>[] = [
    {},
    { origin: 'http://localhost' },
    { origin: PARTNER },
    { origin: PARTNER, 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
  ]
  for (const headers of passing) {
    const response = await app.inject({
      method: 'POST',
      url: '/login',
      headers: { host: 'localhost', ...headers },
    })
    t.equal(response.statusCode, 200, JSON.stringify(headers))
  }
  t.equal(handled.length, passing.length)
})

t.test('without options no other origin may call', async (t) => {
  for (const options of [{}, { allowedOrigins: undefined }, { allowedOrigins: [] }]) {
    const { app } = await makeApp(options)
    const response = await app.inject({ method: 'POST', url: '/login', headers: { origin: PARTNER } })
    t.equal(response.statusCode, 403)
    t.equal(response.json().code, 'CROSS_SITE')
  }
})

t.test('an allowed origin that is none refuses to boot', async (t) => {
  for (const origin of [
    '*',
    'https://app.example.com/',
    'app.example.com',
    'null',
    '',
    'https://*.example.com',
  ]) {
    await t.rejects(
      makeApp({ allowedOrigins: [origin] }),
      { code: 'OPTION_INVALID', message: /allowedOrigins/ },
      origin,
    )
  }
  const text: unknown = PARTNER
  await t.rejects(
    makeApp({ allowedOrigins: text as string[] }),
    { code: 'OPTION_INVALID' },
    'a text instead of a list',
  )
})

t.test('checkAmbient follows the method: what changes nothing may come from anywhere', async (t) => {
  const { app, handled } = await makeApp()
  for (const method of METHODS) {
    const isSafe = ['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(method)
    const call = (headers: Record<string, string>) =>
      app.inject({ method: method as 'GET', url: '/recognised', headers })
    for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }] as Record<
      string,
      string
    >[]) {
      handled.length = 0
      const response = await call(headers)
      t.equal(response.statusCode, isSafe ? 200 : 403, `${method} ${JSON.stringify(headers)}`)
      t.same(handled, isSafe ? [`${method} /recognised`] : [], `${method}: the handler`)
      if (!isSafe) t.equal(response.json().code, 'CROSS_SITE')
    }
    for (const headers of [{}, { 'sec-fetch-site': 'same-origin' }, { origin: PARTNER }] as Record<
      string,
      string
    >[]) {
      t.equal((await call(headers)).statusCode, 200, `${method} ${JSON.stringify(headers)}`)
    }
  }
})

t.test('checkAmbient refuses a WebSocket handshake of another origin, which is a GET', async (t) => {
  const { app, handled } = await makeApp()
  const call = (headers: Record<string, string>) =>
    app.inject({ url: '/recognised', headers: { upgrade: 'websocket', connection: 'Upgrade', ...headers } })
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://sub.localhost', 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site' },
  ] as Record<string, string>[]) {
    const response = await call(headers)
    t.equal(response.statusCode, 403, JSON.stringify(headers))
    t.equal(response.json().code, 'CROSS_SITE')
  }
  t.same(handled, [])
  for (const headers of [{}, { origin: PARTNER }, { 'sec-fetch-site': 'same-origin' }] as Record<
    string,
    string
  >[]) {
    t.equal((await call(headers)).statusCode, 200, JSON.stringify(headers))
  }
})

t.test('logout refuses another site’s link, image and form, and a prefetch', async (t) => {
  const { app, handled } = await makeApp()
  const rows: [method: 'GET' | 'POST' | 'HEAD', headers: Record<string, string>, code: string][] = [
    ['GET', { 'sec-fetch-site': 'cross-site', accept: 'text/html' }, 'CROSS_SITE'],
    ['GET', { 'sec-fetch-site': 'cross-site', accept: 'image/*' }, 'CROSS_SITE'],
    ['GET', { accept: 'text/html,*/*;q=0.8' }, 'CROSS_SITE'],
    ['GET', { accept: 'image/avif,image/*,*/*;q=0.8' }, 'CROSS_SITE'],
    ['POST', { origin: 'https://evil.example' }, 'CROSS_SITE'],
    ['GET', { 'sec-purpose': 'prefetch', 'sec-fetch-site': 'same-origin' }, 'PREFETCH'],
    ['GET', { 'sec-purpose': 'prefetch;prerender', 'sec-fetch-site': 'none' }, 'PREFETCH'],
    ['GET', { purpose: 'prefetch' }, 'PREFETCH'],
  ]
  for (const [method, headers, code] of rows) {
    const response = await app.inject({ method, url: '/logout', headers })
    t.equal(response.statusCode, 403, JSON.stringify(headers))
    t.equal(response.json().code, code, JSON.stringify(headers))
  }
  const head = await app.inject({ method: 'HEAD', url: '/logout' })
  t.equal(head.statusCode, 403, 'Fastify would run the GET handler for HEAD')
  t.same(handled, [])
  for (const method of ['GET', 'POST'] as const)
    t.equal((await app.inject({ method, url: '/logout' })).statusCode, 200)
  t.same(handled, ['GET /logout', 'POST /logout'])
})

async function listen(t: Test, app: FastifyInstance): Promise<number> {
  t.teardown(() => app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  const address = app.server.address()
  return typeof address === 'object' && address ? address.port : 0
}

/** Sends lines as Latin-1, byte for byte, and returns the answer's status and error code. */
function send(port: number, lines: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    socket.setEncoding('latin1').on('data', (chunk) => {
      answer += chunk
    })
    socket.on('error', reject).on('close', () => {
      const status = answer.split(' ', 2)[1]
      resolve([status, ...(/"code":"(\w+)"/.exec(answer)?.slice(1) ?? [])].join(' '))
    })
    socket.end(
      Buffer.from(`${[...lines, 'Content-Length: 0', 'Connection: close'].join('\r\n')}\r\n\r\n`, 'latin1'),
    )
  })
}

t.test('over a socket, headers that come twice, empty or odd never pass wrongly', async (t) => {
  const { app, handled } = await makeApp()
  const port = await listen(t, app)
  const own = `http://127.0.0.1:${port}`
  const REFUSED = '403 CROSS_SITE'
  const rows: [answer: string, ...headers: string[]][] = [
    ['200'],
    ['200', `Origin: ${own}`],
    ['200', `ORIGIN: ${own}`],
    ['200', `origin:\t ${own} \t`],
    ['200', 'sec-fetch-SITE: same-origin'],
    ['200', 'Sec-Fetch-Site: same-origin', 'Origin: https://evil.example'],
    [REFUSED, 'Origin: https://evil.example'],
    [REFUSED, 'Origin:'],
    [REFUSED, 'Origin: null'],
    [REFUSED, `Origin: ${own}`, `Origin: ${own}`],
    [REFUSED, `Origin: ${own}`, 'Origin: https://evil.example'],
    [REFUSED, 'Origin: https://evil.example', `Origin: ${own}`],
    [REFUSED, 'Origin: https://evil.example', `origin: ${PARTNER}`],
    [REFUSED, `Origin: ${PARTNER}`, 'Origin: https://evil.example'],
    [REFUSED, `Origin: ${own}/`, 'Origin: https://evil.example'],
    [REFUSED, `Origin: ${own}\u00a0`],
    [REFUSED, `Origin: \u00a0${own}`],
    [REFUSED, 'Sec-Fetch-Site:'],
    [REFUSED, 'Sec-Fetch-Site: same-origin', 'Sec-Fetch-Site: cross-site'],
    [REFUSED, 'Sec-Fetch-Site: cross-site', 'Sec-Fetch-Site: same-origin'],
    [REFUSED, 'Sec-Fetch-Site: none', 'Sec-Fetch-Site: none'],
    [REFUSED, 'Sec-Fetch-Site: same-origin\u00a0'],
    [REFUSED, 'Sec-Fetch-Site: cross-site', `Origin: ${own}`],
    [REFUSED, 'Origin: https://evil.example', 'X-Forwarded-Host: evil.example'],
    [REFUSED, 'Origin: https://evil.example', 'Forwarded: host=evil.example'],
    ['400 HOST_AMBIGUOUS', 'Origin: https://evil.example', 'Host: evil.example'],
  ]
  for (const [answer, ...headers] of rows) {
    handled.length = 0
    t.equal(
      await send(port, ['POST /login HTTP/1.1', `Host: 127.0.0.1:${port}`, ...headers]),
      answer,
      headers.join(' | '),
    )
    t.equal(handled.length, answer === '200' ? 1 : 0, 'the handler')
  }
})

t.test(
  'over a socket, a request without a host of its own passes only where nothing says a browser sent it',
  async (t) => {
    const { app, handled } = await makeApp()
    const port = await listen(t, app)
    const evil = 'Origin: http://evil.example'
    t.equal(await send(port, ['POST /login HTTP/1.1', evil]), '400', 'HTTP/1.1 demands Host')
    t.equal(await send(port, ['POST /login HTTP/1.0', evil]), '403 CROSS_SITE')
    t.equal(await send(port, ['POST /login HTTP/1.0', 'Origin: http://']), '403 CROSS_SITE')
    t.equal(await send(port, ['POST /login HTTP/1.1', 'Host:', evil]), '403 CROSS_SITE')
    t.equal(await send(port, ['POST /login HTTP/1.1', 'Host:', 'Origin: http://']), '403 CROSS_SITE')
    const absolute = 'POST http://evil.example/login HTTP/1.1'
    t.not(
      await send(port, [absolute, `Host: 127.0.0.1:${port}`, evil]),
      '200',
      'an absolute target is no Host',
    )
    t.same(handled, [])
    t.equal(await send(port, ['POST /login HTTP/1.0']), '200')
  },
)

t.test('over a socket, a prefetch is noticed among several purposes', async (t) => {
  const { app, handled } = await makeApp()
  const port = await listen(t, app)
  for (const headers of [
    ['Sec-Purpose: prefetch'],
    ['SEC-PURPOSE: prefetch;prerender'],
    ['Sec-Purpose: x', 'Sec-Purpose: prefetch'],
    ['Sec-Purpose:', 'Purpose: prefetch'],
  ]) {
    t.equal(
      await send(port, ['GET /logout HTTP/1.1', 'Host: a', ...headers]),
      '403 PREFETCH',
      headers.join(' | '),
    )
  }
  t.equal(await send(port, ['HEAD /logout HTTP/1.1', 'Host: a']), '403')
  t.same(handled, [])
})

t.test('where Origin is compared with Host, two Host lines are 400', async (t) => {
  const { app, handled } = await makeApp()
  t.teardown(() => app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const send = (...headers: string[]) =>
    sendRaw(
      port,
      ['POST /login HTTP/1.1', ...headers, 'Content-Length: 0', 'Connection: close', '', ''].join('\r\n'),
    )
  for (const hosts of [
    ['Host: own.example', 'HOST: other.example'],
    ['Host: other.example', 'Host: own.example'],
    ['Host: own.example', 'Host: own.example'],
  ]) {
    const answer = await send(...hosts, 'Origin: http://own.example')
    t.match(answer, /^HTTP\/1\.1 400 .*"code":"HOST_AMBIGUOUS"/s, `${hosts}`)
    t.same(handled, [])
  }
  t.match(
    await send('Host: a', 'Host: b', `Origin: ${PARTNER}`),
    /^HTTP\/1\.1 200 /,
    'an origin that is allowed anyhow',
  )
  t.match(await send('Host: own.example', 'Origin: http://own.example'), /^HTTP\/1\.1 200 /)
})

const preflight = {
  origin: PARTNER,
  'access-control-request-method': 'PUT',
  'access-control-request-headers': 'authorization',
}

t.test('an allowed origin may call with credentials, and read why it was refused', async (t) => {
  const { app } = await makeApp({ allowedOrigins: [PARTNER] })
  const { statusCode, headers } = await app.inject({
    method: 'OPTIONS',
    url: '/recognised',
    headers: preflight,
  })
  t.equal(statusCode, 204)
  t.match(headers, {
    'access-control-allow-origin': PARTNER,
    'access-control-allow-credentials': 'true',
    'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
    'access-control-allow-headers': 'Authorization, Content-Type, DPoP',
  })
  const answer = await app.inject({ method: 'POST', url: '/recognised', headers: { origin: PARTNER } })
  t.equal(answer.headers['access-control-allow-origin'], PARTNER)
  t.equal(answer.headers['access-control-expose-headers'], 'WWW-Authenticate, Retry-After, DPoP-Nonce')
  t.match(answer.headers.vary, /Origin/, 'so that a cache keeps the answers of two origins apart')
})

t.test('no other origin gets a CORS header', async (t) => {
  for (const options of [{}, { allowedOrigins: [PARTNER] }, { allowedOrigins: [PARTNER], cors: false }])
    for (const origin of ['https://evil.example', `${PARTNER}.evil.example`, 'null', '*']) {
      const { app } = await makeApp(options)
      for (const method of ['GET', 'OPTIONS'] as const) {
        const answer = await app.inject({ method, url: '/recognised', headers: { ...preflight, origin } })
        t.notOk(answer.headers['access-control-allow-origin'], `${method} ${origin}`)
      }
    }
})

t.test('an application that has registered @fastify/cors keeps its own settings', async (t) => {
  const app = Fastify()
  await app.register(cors, { origin: 'https://own.example' })
  await app.register(csrf, { allowedOrigins: [PARTNER] })
  app.get('/', async () => 'done')
  const { headers } = await app.inject({ url: '/', headers: { origin: PARTNER } })
  t.equal(headers['access-control-allow-origin'], 'https://own.example')
})

t.test('with cors: false an application may register @fastify/cors later', async (t) => {
  const app = Fastify()
  await app.register(csrf, { allowedOrigins: [PARTNER], cors: false })
  await app.register(cors, { origin: 'https://own.example' })
  app.get('/', async () => 'done')
  t.equal((await app.inject('/')).headers['access-control-allow-origin'], 'https://own.example')
  const options = { cors: 'no' } as unknown as CsrfOptions
  await t.rejects(makeApp(options), { code: 'OPTION_INVALID', message: /cors/ })
})
