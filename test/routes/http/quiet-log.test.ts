import { Writable } from 'node:stream'
import Fastify, { type FastifyServerOptions } from 'fastify'
import { type Test, test } from 'tap'
import userCenter, { options, serverOptions } from '../../../app.js'
import { answerClientError } from '../../../routes/http/quiet-log.js'
import { makeDataDir } from '../../helpers/user-center.js'

type Line = { level: number; req?: { url: string }; [key: string]: unknown }

function loggingApp(level = 'trace', more: FastifyServerOptions = {}) {
  const lines: Line[] = []
  const stream = { write: (line: string) => void lines.push(JSON.parse(line)) }
  const app = Fastify({ ...more, logger: Object.assign({}, options.logger, { level, stream }) })
  return { app, lines }
}

test('a request is logged by its path, and only that there was a query', async (t) => {
  const { app, lines } = loggingApp()
  t.teardown(() => app.close())
  for (const url of ['/path', '/path?token=x', '/path?a?token=x', '/path?a=%0A\ntoken=x'])
    await app.inject(url)
  const logged = lines.flatMap(({ req }) => (req ? [req.url] : []))
  t.same(logged, ['/path', '/path?…', '/path?…', '/path?…'])
  t.match(lines[0]?.req, { method: 'GET', host: String, remoteAddress: '127.0.0.1' })
})

test('a request for an account is logged by its route: people type passwords where names belong', async (t) => {
  const { app, lines } = loggingApp()
  t.teardown(() => app.close())
  app.patch('/accounts/:username', async () => 'changed')
  await app.inject({ method: 'PATCH', url: '/accounts/hunter2?x=hunter2' })
  await app.inject({ method: 'PATCH', url: '/%61ccounts/hunter2' })
  const logged = lines.flatMap(({ req }) => (req ? [req.url] : []))
  t.same(logged, ['/accounts/:username', '/accounts/:username'])
  t.notMatch(JSON.stringify(lines), /hunter2/)
})

/** What the user center logs, at a level, of requests for these paths. */
async function loggedAt(t: Test, level: string, paths: readonly string[], more: Record<string, string> = {}) {
  const env = { DATA_DIR: makeDataDir(t), METRICS: 'true', ...more }
  const { app, lines } = loggingApp(level, serverOptions(env))
  t.teardown(() => app.close())
  await app.register(userCenter, { env })
  await app.ready()
  lines.length = 0
  for (const path of paths) await app.inject(path)
  return lines.filter(({ reqId }) => reqId !== undefined)
}

test('what is asked every few seconds is logged at debug, and its failures always', async (t) => {
  const quiet = ['/healthz', '/metrics', '/readyz']
  const [failed, ...others] = await loggedAt(t, 'info', quiet, { REDIS_URL: 'redis://127.0.0.1:1' })
  t.match(failed, { level: 50, msg: 'request failed', err: { code: 'STORE_UNAVAILABLE' } })
  t.same(others, [])
  const messages = (lines: Line[]) => lines.map(({ msg }) => msg)
  const [incoming, completed] = ['incoming request', 'request completed']
  t.same(messages(await loggedAt(t, 'info', ['/settings'])), [incoming, completed])
  t.same(messages(await loggedAt(t, 'debug', ['/healthz', '/metrics'])), [
    incoming,
    completed,
    incoming,
    completed,
  ])
  t.same(await loggedAt(t, 'silent', quiet), [])
})

/** What the handler writes to a socket for an error of this code. */
function answerTo(code: string, { writable = true, destroyed = false } = {}) {
  const { app, lines } = loggingApp()
  let written = ''
  const socket = new Writable({
    write(chunk, _encoding, done) {
      written += chunk
      done()
    },
  })
  socket.on('error', () => {})
  if (!writable) socket.end()
  if (destroyed) socket.destroy()
  const error = Object.assign(new Error('parser'), { code, rawPacket: Buffer.from('Cookie: secret') })
  Reflect.apply(answerClientError, app, [error, socket])
  return { written, lines, gone: socket.destroyed }
}

test('what the parser refuses is answered in the contract’s form, and logged by its code alone', async (t) => {
  for (const [code, status, error] of [
    ['ERR_HTTP_REQUEST_TIMEOUT', 408, 'REQUEST_TIMEOUT'],
    ['HPE_HEADER_OVERFLOW', 431, 'HEADERS_TOO_LARGE'],
    ['HPE_INVALID_METHOD', 400, 'REQUEST_MALFORMED'],
  ] as const) {
    const { written, lines, gone } = answerTo(code)
    const [head = '', body = ''] = written.split('\r\n\r\n')
    t.ok(head.startsWith(`HTTP/1.1 ${status} `))
    t.match(head, `Content-Length: ${Buffer.byteLength(body)}`)
    t.match(JSON.parse(body), { code: status, error, msg: String })
    t.match(lines, [{ level: 10, code, msg: 'a request was refused by the parser' }])
    t.notMatch(lines, [{ err: Object }])
    t.ok(gone)
  }
})

test('nobody is answered who is gone', async (t) => {
  t.same(answerTo('ECONNRESET'), { written: '', lines: [], gone: false })
  t.match(answerTo('HPE_INVALID_METHOD', { destroyed: true }), { written: '', lines: [] })
  t.match(answerTo('HPE_INVALID_METHOD', { writable: false }), { written: '', gone: true })
})
