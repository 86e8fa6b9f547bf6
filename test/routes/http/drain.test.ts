import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import { listen, USER } from '../../helpers/http.js'
import { startUserCenter } from '../../helpers/user-center.js'

const POST = `POST /login_cookie HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n`
const BODY = JSON.stringify(USER)

async function open(t: Test, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  await new Promise((resolve) => socket.once('connect', resolve))
  return socket
}

/** Resolves when the server takes no connections any more: then it has begun to stop. */
async function beginStop(app: FastifyInstance): Promise<{ readonly stopped: Promise<unknown> }> {
  const stopped = app.close()
  while (app.server.listening) await nextTurn()
  return { stopped }
}

/** As it was sent: what the parser of a client would hide counts too. */
function readAnswer(answer: string) {
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  const [status = '', ...lines] = head.split('\r\n')
  const pairs = lines.map((line) => line.split(': ') as [string, string])
  const headers = Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), value]))
  return { status, headers, body: JSON.parse(body) }
}

/** Of an answer and its time. */
const VARYING = ['date', 'content-length', 'connection']

test('what comes on an open connection while the server stops is refused in our own form', async (t) => {
  const { app } = await startUserCenter(t)
  const port = await listen(app)
  const served: Socket[] = []
  app.server.on('connection', (socket) => served.push(socket))
  const usual = await app.inject({ url: '/healthz' })
  const requests = {
    api: 'GET /user_info HTTP/1.1\r\nhost: x\r\n\r\n',
    chinese: 'GET /healthz HTTP/1.1\r\nhost: x\r\naccept-language: zh\r\n\r\n',
    page: 'GET / HTTP/1.1\r\nhost: x\r\n\r\n',
    nothing: 'GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n',
    login: `${POST}content-length: ${BODY.length}\r\n\r\n${BODY}`,
    unread: `${POST}content-length: ${BODY.length}\r\n\r\n`,
  }
  const sockets = await Promise.all(Object.values(requests).map(() => open(t, port)))
  // Half a line: from a connection that is idle the server parts at once.
  for (const [index, request] of Object.values(requests).entries()) sockets[index]?.write(request.slice(0, 9))
  const answers = sockets.map((socket) => text(socket))
  while (served.length < sockets.length || served.some(({ bytesRead }) => bytesRead < 9)) await nextTurn()
  const { stopped } = await beginStop(app)
  for (const [index, request] of Object.values(requests).entries()) sockets[index]?.write(request.slice(9))
  for (const [index, name] of Object.keys(requests).entries()) {
    const { status, headers, body } = readAnswer((await answers[index]) ?? '')
    t.equal(status, 'HTTP/1.1 503 Service Unavailable', name)
    t.match(body, { code: 503, error: 'STOPPING', msg: name === 'chinese' ? '服务器' : 'This server' }, name)
    t.match(headers, { connection: 'close', 'retry-after': '1', 'cache-control': 'no-store' }, name)
    t.notOk('set-cookie' in headers, name)
    for (const [header, value] of Object.entries(usual.headers)) {
      if (!VARYING.includes(header)) t.equal(headers[header], value, `${name}: ${header}`)
    }
  }
  await stopped
})
