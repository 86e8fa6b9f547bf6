import t from 'tap'
import { SECURITY_HEADERS } from '../../../routes/http/security-headers.js'
import { sendRaw } from '../../helpers/http.js'
import { startLab } from './lab-server.js'

const PATH = '/lab/other-site'

/** An answer over a real socket, since fetch sets `Host` and `Origin` by itself. */
async function ask(port: number, line: string, lines: readonly string[], body = '') {
  const head = [line, ...lines, `Content-Length: ${Buffer.byteLength(body)}`, 'Connection: close']
  const answer = await sendRaw(port, `${head.join('\r\n')}\r\n\r\n${body}`)
  const [headers = '', ...rest] = answer.split('\r\n\r\n')
  return {
    status: Number(headers.split(' ')[1]),
    headers,
    header: (name: string) => new RegExp(`^${name}: (.*)$`, 'im').exec(headers)?.[1]?.trim(),
    body: rest.join('\r\n\r\n'),
  }
}

t.test('each name of this machine is the other site of the other one', async (t) => {
  const { port } = await startLab(t)
  for (const [host, other] of [
    [`127.0.0.1:${port}`, `http://localhost:${port}`],
    [`localhost:${port}`, `http://127.0.0.1:${port}`],
    [`127.0.0.2:${port}`, `http://localhost:${port}`],
    ['LOCALHOST', 'http://127.0.0.1'],
    ['[::1]:80', 'http://localhost:80'],
    ['localhost:99999', 'http://127.0.0.1:99999'],
  ] as const) {
    const started = await ask(port, `GET ${PATH}/start HTTP/1.1`, [`Host: ${host}`])
    t.equal(started.status, 303, host)
    t.equal(started.header('location'), `${other}${PATH}`, host)
    const page = await ask(port, `GET ${PATH} HTTP/1.1`, [`Host: ${host}`])
    t.equal(page.status, 200)
    t.match(page.body, `action="${other}${PATH}/target"`)
    t.match(page.header('content-security-policy'), ` form-action ${other}; `)
  }
})

t.test('a forwarded scheme cannot change the policy', async (t) => {
  const { port } = await startLab(t, { TRUST_PROXY: '127.0.0.1' })
  for (const [scheme, expected] of [
    ['https', 'https'],
    ["x: *; script-src 'unsafe-inline'; y", 'http'],
  ] as const) {
    const lines = ['Host: localhost', `X-Forwarded-Proto: ${scheme}`]
    const page = await ask(port, `GET ${PATH} HTTP/1.1`, lines)
    t.match(page.header('content-security-policy'), ` form-action ${expected}://127.0.0.1; frame-ancestors`)
    t.notMatch(page.header('content-security-policy'), 'script-src')
  }
})

t.test('it sets throwaway cookies alone, and only for its own path', async (t) => {
  const { port } = await startLab(t)
  const { headers } = await ask(port, `GET ${PATH}/start HTTP/1.1`, ['Host: localhost'])
  const cookies = [...headers.matchAll(/^set-cookie: (.*)$/gim)].map(([, line = '']) => line.trim())
  t.same(cookies, [
    `lab_strict=throwaway; Path=${PATH}; Max-Age=600; HttpOnly; SameSite=Strict`,
    `lab_lax=throwaway; Path=${PATH}; Max-Age=600; HttpOnly; SameSite=Lax`,
    `lab_default=throwaway; Path=${PATH}; Max-Age=600; HttpOnly`,
    `lab_none=throwaway; Path=${PATH}; Max-Age=600; HttpOnly; SameSite=None; Secure`,
  ])
})

t.test('only its pages have a policy of their own', async (t) => {
  const { port } = await startLab(t)
  const own = "default-src 'none'; style-src 'sha256-"
  for (const path of [PATH, `${PATH}/target`]) {
    const page = await ask(port, `GET ${path} HTTP/1.1`, ['Host: localhost'])
    t.ok(page.header('content-security-policy')?.startsWith(own), path)
    t.match(page.header('content-security-policy'), /; base-uri 'none'; .*frame-ancestors 'none'$/)
    t.equal(page.header('referrer-policy'), 'strict-origin-when-cross-origin')
    t.equal(page.header('cache-control'), 'no-store')
    t.notMatch(page.body, /<script|<link|<img|<iframe/, 'it loads and runs nothing')
  }
  for (const path of ['/', '/settings', '/user_info', '/lab/experiments', `${PATH}/start`, `${PATH}/x`]) {
    const other = await ask(port, `GET ${path} HTTP/1.1`, ['Host: localhost'])
    for (const name of ['content-security-policy', 'referrer-policy'])
      t.equal(other.header(name), SECURITY_HEADERS[name], `${path} ${name}`)
  }
})

t.test('the suite’s own check judges what arrives', async (t) => {
  const { port } = await startLab(t)
  const host = `Host: 127.0.0.1:${port}`
  const cases = [
    [['Sec-Fetch-Site: cross-site'], 403],
    [['Sec-Fetch-Site: same-site'], 403],
    [[`Origin: http://localhost:${port}`], 403],
    [['Origin: null'], 403],
    [['Sec-Fetch-Site: same-origin'], 200],
    [[`Origin: http://127.0.0.1:${port}`], 200],
    [[], 200],
  ] as const
  for (const [lines, status] of cases) {
    for (const method of ['GET', 'POST']) {
      const type = 'Content-Type: application/x-www-form-urlencoded'
      const line = `${method} ${PATH}/target HTTP/1.1`
      const answer = await ask(port, line, [host, type, ...lines], method === 'POST' ? 'a=b' : '')
      t.equal(answer.status, status, `${method} ${lines}`)
      t.equal(/CROSS_SITE/.test(answer.body), status === 403)
    }
  }
})

t.test('it shows headers as text, and no cookie but its own', async (t) => {
  const { port } = await startLab(t)
  const { body } = await ask(port, `POST ${PATH}/target HTTP/1.1`, [
    'Host: localhost',
    'Accept-Language: zh',
    'Origin: "><script>alert(1)</script>',
    "Sec-Fetch-Mode: <b>&'",
    'Cookie: identity=secret-one; lab_lax=x; session=secret-two; <i>=1',
  ])
  t.match(body, '<td>&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;</td>')
  t.match(body, '<td>&lt;b&gt;&amp;&#39;</td>')
  t.match(body, /lab_lax<\/td><td>SameSite=Lax<\/td><td>是/)
  t.match(body, /lab_strict<\/td><td>SameSite=Strict<\/td><td>否/)
  t.notMatch(body, /<script|<b>|<i>|identity|session|secret/)
})

t.test('nobody else gets it', async (t) => {
  const { port } = await startLab(t)
  for (const path of [PATH, `${PATH}/start`, `${PATH}/target`]) {
    for (const host of ['evil.example', 'localhost.evil.com', "localhost';", '10.0.0.1']) {
      const hidden = await ask(port, `GET ${path} HTTP/1.1`, [`Host: ${host}`])
      t.equal(hidden.status, 404, `${path} ${host}`)
      t.equal(hidden.header('set-cookie'), undefined)
      t.match(hidden.body, '"error":"NOT_FOUND"')
    }
  }
  const other = await startLab(t, { LAB: 'false' })
  t.equal((await ask(other.port, `GET ${PATH} HTTP/1.1`, ['Host: localhost'])).status, 404)
})

t.test('a long or odd body of any type changes nothing', async (t) => {
  const { port } = await startLab(t)
  for (const type of ['application/json', 'multipart/form-data; boundary=x', 'text/plain', 'x/y']) {
    const lines = ['Host: localhost', `Content-Type: ${type}`]
    const answer = await ask(port, `POST ${PATH}/target HTTP/1.1`, lines, '{')
    t.equal(answer.status, 200, type)
  }
})
