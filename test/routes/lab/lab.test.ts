import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import userCenter from '../../../app.js'
import csrf from '../../../plugins/csrf.js'
import { AUDIT_CHANNEL } from '../../../plugins/lib/audit.js'
import { EXPERIMENTS } from '../../../routes/lab/experiments.js'
import { labRoutes } from '../../../routes/lab.js'
import { listen, sendRaw, signIn } from '../../helpers/http.js'
import { makeDataDir, startUserCenter } from '../../helpers/user-center.js'
import { startLab } from './lab-server.js'

const NAME = 'two-strangers'

/** The status and body of a GET over a real socket, with these lines of `Host` and others. */
async function ask(port: number, path: string, lines: readonly string[], version = '1.1') {
  const head = [`GET ${path} HTTP/${version}`, ...lines, 'Connection: close']
  const answer = await sendRaw(port, `${head.join('\r\n')}\r\n\r\n`)
  const [headers = '', body = ''] = answer.split('\r\n\r\n')
  return { status: Number(headers.split(' ')[1]), body, headers }
}

t.test('the experiments are served under every name of this machine', async (t) => {
  const { port } = await startLab(t)
  for (const host of [
    'localhost',
    'LOCALHOST:80',
    '127.0.0.1',
    `127.0.0.1:${port}`,
    '127.8.9.1',
    '[::1]:3000',
  ]) {
    t.equal((await ask(port, '/lab/experiments', [`Host: ${host}`])).status, 200, host)
    const page = await ask(port, '/lab', [`Host: ${host}`])
    t.equal(page.status, 200, host)
    t.match(page.headers, /^content-type: text\/html/im, host)
    t.match((await ask(port, '/settings', [`Host: ${host}`])).body, /"lab":true/, host)
  }
})

const OTHER_HOSTS = [
  'evil.example',
  'localhost.evil.com',
  'localhost.',
  'evil-localhost',
  'localhost:x',
  '127.0.0.1.evil.com',
  '127.1',
  '127.0.0.256',
  '0.0.0.0',
  '10.0.0.1',
  '[::2]',
  '[::ffff:127.0.0.1]',
  'user@localhost',
  '2130706433',
]

t.test('under any other name they are as unknown as any other path', async (t) => {
  const { port } = await startLab(t)
  const own = (headers: string) => headers.replace(/^date: .*$/im, '')
  for (const lines of [...OTHER_HOSTS.map((host) => [`Host: ${host}`]), ['Host:']]) {
    const unknown = await ask(port, '/nothing/here', lines)
    for (const path of ['/lab', '/lab/experiments', '/guide/docs/tutorial.md']) {
      const hidden = await ask(port, path, lines)
      t.equal(hidden.status, 404, lines.join())
      t.equal(hidden.body, unknown.body, lines.join())
      t.equal(own(hidden.headers), own(unknown.headers), lines.join())
    }
    t.match((await ask(port, '/settings', lines)).body, /"lab":false/, lines.join())
  }
  t.equal((await ask(port, '/lab/experiments', [], '1.0')).status, 404, 'no Host at all')
  t.equal((await ask(port, '/lab/experiments', ['Host: localhost', 'Host: localhost'])).status, 400, 'two')
})

t.test('a trusted proxy cannot carry them to others', async (t) => {
  const { port } = await startLab(t, { TRUST_PROXY: '127.0.0.1' })
  const names = ['localhost', 'center.example'] as const
  for (const host of names) {
    for (const forwarded of names) {
      const lines = [`Host: ${host}`, `X-Forwarded-Host: ${forwarded}`]
      const expected = host === 'localhost' && forwarded === 'localhost' ? 200 : 404
      t.equal((await ask(port, '/lab/experiments', lines)).status, expected, lines.join())
    }
  }
  for (const [client, expected] of [
    ['127.0.0.1', 200],
    ['203.0.113.9', 404],
    ['127.0.0.1, 203.0.113.9', 404],
    ['2001:db8::1', 404],
    ['localhost', 404],
  ] as const) {
    const lines = ['Host: localhost', 'X-Forwarded-Host: localhost', `X-Forwarded-For: ${client}`]
    for (const path of ['/lab', '/lab/experiments', '/guide/docs/tutorial.md'])
      t.equal((await ask(port, path, lines)).status, expected, `${client} ${path}`)
  }
})

t.test('a server that others can reach has none', async (t) => {
  // The user center itself stops there, since it has well known passwords.
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(csrf)
  await app.register(labRoutes)
  t.equal((await app.inject('/lab/experiments')).statusCode, 404, 'before it listens')
  await app.listen({ host: '0.0.0.0', port: 0 })
  const address = app.server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  t.equal((await ask(port, '/lab/experiments', ['Host: 127.0.0.1'])).status, 404)
})

t.test('a server that is told so, or is in production, has none', async (t) => {
  const production = {
    NODE_ENV: 'production',
    AUTH_SECRETS: 'Xk2vQ9rT5wY8zB3nM6pL1sD4fG7hJ0aC',
    SINGLE_INSTANCE: 'true',
  }
  for (const env of [{ LAB: 'false' }, production]) {
    const { app } = await startUserCenter(t, env)
    const port = await listen(app)
    for (const path of ['/lab', '/lab/experiments', '/guide/docs/tutorial.md'])
      t.equal((await ask(port, path, ['Host: localhost'])).status, 404, path)
    t.match((await ask(port, '/settings', ['Host: localhost'])).body, /"lab":false/)
    t.notOk(app.hasRoute({ method: 'GET', url: '/lab/experiments' }), 'not even behind the gate')
  }
  const refused = Fastify().register(fp(userCenter), {
    env: { ...production, LAB: 'true', DATA_DIR: makeDataDir(t) },
  })
  await t.rejects(Promise.resolve(refused.ready()), {
    code: 'CONFIG_INVALID',
    message: /^LAB=true is refused/,
  })
})

t.test('a page of another site can run none', async (t) => {
  const { run } = await startLab(t)
  const others: Record<string, string>[] = [
    { origin: 'http://evil.example' },
    { 'sec-fetch-site': 'cross-site' },
  ]
  for (const headers of others) {
    const { status, body } = await run(NAME, {}, headers)
    t.equal(status, 403)
    t.equal(body.error, 'CROSS_SITE')
  }
})

t.test('only names and listed choices come from the caller', async (t) => {
  const { run } = await startLab(t)
  for (const name of ['nothing', 'constructor', '__proto__', 'toString', '..%2F', '%00', 'Two-Strangers']) {
    const { status, body } = await run(name, 'no JSON')
    t.equal(status, 404, name)
    t.equal(body.error, 'NOT_FOUND', name)
  }
  const bodies: unknown[] = [
    { choices: { mode: 'cookie' } },
    { choices: { constructor: 'a' } },
    '{"choices":{"__proto__":"a"}}',
    '{"__proto__":{"choices":{}}}',
    { choices: { name: 1 } },
    { choices: [] },
    { edit: { at: 0, to: 'a' } },
    { url: 'http://evil.example' },
    { headers: {} },
    [],
    'null',
    '{',
  ]
  for (const body of bodies) {
    const answer = await run(NAME, body)
    t.equal(answer.status, 400, JSON.stringify(body))
    t.equal(answer.body.error, 'BODY_INVALID', JSON.stringify(body))
  }
  t.equal((await run(NAME, `{"choices":{"a":"${'a'.repeat(20_000)}"}}`)).status, 413, 'too long')
  t.equal((await run(NAME, '{}', { 'content-type': 'text/plain' })).status, 415)
})

t.test('an edit is one printable character of a credential', async (t) => {
  const { run } = await startLab(t)
  const edited = EXPERIMENTS.filter(({ edit }) => edit)
  const edits = [
    { at: -1, to: 'a' },
    { at: 1.5, to: 'a' },
    { at: '1', to: 'a' },
    { at: 8192, to: 'a' },
    { at: 9000, to: 'a' },
    { at: 1, to: '' },
    { at: 1, to: 'ab' },
    { at: 1, to: '\n' },
    { at: 1, to: 'é' },
    { at: 1, to: '🔑' },
    { at: 1 },
    { to: 'a' },
    { at: 1, to: 'a', length: 2 },
  ]
  for (const { name } of edited) {
    for (const edit of edits) {
      const { status, body } = await run(name, { edit })
      t.equal(status, 400, `${name} ${JSON.stringify(edit)}`)
      t.equal(body.error, 'BODY_INVALID')
    }
  }
})

t.test('a hundred runs at once: a few take turns, and the others are told to come back', async (t) => {
  const { run } = await startLab(t)
  const replies = await Promise.all(Array.from({ length: 100 }, () => run(NAME)))
  const busy = replies.filter(({ status }) => status === 503)
  t.equal(replies.filter(({ status }) => status === 200).length + busy.length, 100)
  t.ok(busy.length > 0 && busy.length < 100, `${busy.length} are refused`)
  t.ok(busy.every(({ body, headers }) => body.error === 'BUSY' && headers.get('retry-after') === '1'))
  t.equal((await run(NAME)).status, 200, 'then it runs again')
})

t.test('an experiment shows no credential of the real server', async (t) => {
  const { app, run } = await startLab(t)
  const cookie = await signIn(app, 'cookie')
  const token = await signIn(app, 'token')
  const headers = { ...cookie.credential, ...token.credential }
  const secrets = [...Object.values(headers), token.refreshToken].map((text) => text.replace(/^.*[ =]/, ''))
  for (const { name } of EXPERIMENTS) {
    const { status, body } = await run(name, {}, headers)
    t.equal(status, 200, name)
    const text = JSON.stringify(body)
    for (const secret of secrets) t.notOk(text.includes(secret), name)
  }
  const account = await app.accounts.findByUsername('user1')
  const signIns = await app.signIns.list(account?.id ?? '')
  t.equal(signIns.length, 2, 'and makes no sign-in there')
})

/** Counts the calls of the real server's store. */
function countCalls(store: object): () => number {
  let calls = 0
  for (const [name, method] of Object.entries(store)) {
    if (typeof method !== 'function' || /^(sweep|close|onRevoked)$/.test(name)) continue
    Reflect.set(store, name, (...args: unknown[]) => {
      calls += 1
      return Reflect.apply(method, store, args)
    })
  }
  return () => calls
}

t.test('a run leaves nothing behind, and does not touch the real server', async (t) => {
  const { app, run } = await startLab(t)
  const calls = countCalls(app.stateStore)
  const events: unknown[] = []
  const note = (event: unknown) => events.push(event)
  subscribe(AUDIT_CHANNEL, note)
  t.teardown(() => unsubscribe(AUDIT_CHANNEL, note))
  const resources = () =>
    process
      .getActiveResourcesInfo()
      .filter((name) => /Timeout|Immediate/.test(name))
      .sort()
  for (const { name } of EXPERIMENTS) await run(name)
  const before = resources()
  for (const { name } of EXPERIMENTS) t.equal((await run(name)).status, 200, name)
  t.same(resources(), before, 'no timers')
  t.equal(calls(), 0, 'the real store is not asked')
  t.same(events, [], 'nobody takes an experiment for an event')
  t.equal((await app.inject({ url: '/user_info' })).statusCode, 403)
})
