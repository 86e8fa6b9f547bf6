import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { type RequestOptions, request } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import { startNginx } from '../../helpers/nginx.js'
import { freePort } from '../../helpers/redis-server.js'
import { makeDataDir } from '../../helpers/user-center.js'
import { textOf } from '../blocks.js'
import { type Page, portOf, runShell } from '../runners.js'

const PAGE = 'docs/recipes/nginx.md'

/** The site of the page, with a certificate of its own, in front of an application on that port. */
async function startSite(t: Test, application: number) {
  const cwd = makeDataDir(t)
  const made = await runShell(textOf(PAGE, 'certificate'), { cwd })
  t.equal(made.status, 0, made.stderr)
  const [http, https] = [await freePort(), await freePort()]
  const site = textOf(PAGE, 'nginx')
    .replace('listen 80', `listen 127.0.0.1:${http}`)
    .replace('listen 443', `listen 127.0.0.1:${https}`)
    .replace('127.0.0.1:3000', `127.0.0.1:${application}`)
    .replaceAll('/etc/letsencrypt/live/example.com', cwd)
  await startNginx(t, site, https)
  return { http, https, ca: readFileSync(join(cwd, 'fullchain.pem')) }
}

type Site = Awaited<ReturnType<typeof startSite>>

/** Asks as a client at 127.0.0.2 does. */
async function ask({ https, ca }: Site, path: string, options: RequestOptions = {}, payload = '') {
  const to = {
    host: '127.0.0.1',
    port: https,
    path,
    servername: 'example.com',
    ca,
    localAddress: '127.0.0.2',
  }
  const headers = { host: 'example.com', ...options.headers }
  const outgoing = request({ ...to, ...options, headers, agent: false })
  const answered = once(outgoing, 'response')
  outgoing.end(payload)
  const [answer]: IncomingMessage[] = await answered
  if (answer === undefined) throw new Error('no answer')
  return answer
}

const ALICE = JSON.stringify({ username: 'alice', password: 'correct horse' })
const signIn = (site: Site, headers: Record<string, string>) =>
  ask(site, '/login', { method: 'POST', headers: { 'content-type': 'application/json', ...headers } }, ALICE)

const page: Page = {
  nginx: async (t) => t.pass('the block of the program runs behind it'),
  certificate: async (t) => t.pass('the block of the program uses it'),
  program: {
    before: "process.env.AUTH_SECRET = 'a secret for tests, at least 32 bytes long'",
    check: async (t, app) => {
      const site = await startSite(t, portOf(app))
      const plain = await fetch(`http://127.0.0.1:${site.http}/orders?a=1`, { redirect: 'manual' })
      t.equal(plain.status, 301)
      t.match(plain.headers.get('location'), /^https:\/\/[^/]+\/orders\?a=1$/)

      const invented = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'http' }
      const granted = await signIn(site, { origin: 'https://example.com', ...invented })
      t.equal(granted.statusCode, 200)
      t.same(
        JSON.parse(await text(granted)),
        { ip: '127.0.0.2', protocol: 'https' },
        'nothing invented counts',
      )
      const [cookie = ''] = (granted.headers['set-cookie'] ?? []).filter((line) => line.includes('session'))
      t.match(cookie, /^__Host-session=.*; Secure/)
      t.match(granted.headers['strict-transport-security'], /max-age/)

      const stranger = { origin: 'https://evil.example', 'x-forwarded-host': 'evil.example' }
      const refused = await signIn(site, stranger)
      t.match(JSON.parse(await text(refused)), { statusCode: 403, code: 'CROSS_SITE' })

      const headers = { cookie: cookie.split(';')[0] ?? '' }
      const events = await ask(site, '/events', { headers })
      const [first] = await once(events, 'data')
      t.equal(String(first), 'data: hello\n\n', 'an event arrives at once')
      const ended = once(events, 'end')
      events.resume()
      await app.signIns.endAll('1')
      await ended
      t.equal((await ask(site, '/events', { headers })).statusCode, 401)
    },
  },
}

export default page
