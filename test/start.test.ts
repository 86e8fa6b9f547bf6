import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type Test, test } from 'tap'
import { freePort } from './helpers/redis-server.js'
import { copyTree } from './helpers/tree.js'

interface Started {
  readonly child: ChildProcess
  readonly output: () => string
  readonly exit: Promise<number | null>
}

function run(t: Test, cwd: string, script: string, env: Record<string, string>): Started {
  const base = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' }
  const child = spawn('npm', ['run', '--silent', script], {
    cwd,
    env: { ...base, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (chunk) => {
      text += chunk
    })
  }
  t.teardown(() => child.kill('SIGKILL'))
  return { child, output: () => text, exit: once(child, 'close').then(([code]) => code) }
}

/** Waits until the server says that it listens, and under which process id. */
async function listening({ output, exit }: Started): Promise<number> {
  let ended = false
  exit.then(() => {
    ended = true
  })
  for (;;) {
    const pid = /"pid":(\d+).*Server listening/.exec(output())?.[1]
    if (pid) return Number(pid)
    if (ended) throw new Error(`it ended: ${output()}`)
    await new Promise((done) => setTimeout(done, 20))
  }
}

/** Sends a login whose body comes late, and resolves once the server has the head of it. */
async function slowLogin(port: number) {
  const body = JSON.stringify({ username: 'admin', password: 'admin123' })
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  let answer = ''
  socket.on('data', (chunk) => {
    answer += String(chunk)
  })
  const head = `POST /login_cookie HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`
  socket.write(head)
  // "100 Continue" is the server's word that it is waiting for the body.
  await once(socket, 'data')
  return {
    async finish() {
      socket.write(body)
      await once(socket, 'close')
      return answer
    },
  }
}

test('npm start builds and runs the user center; a stop signal lets requests finish', async (t) => {
  const cwd = copyTree(t)
  const PORT = String(await freePort())
  const started = run(t, cwd, 'start', { PORT })
  const pid = await listening(started)
  const origin = `http://127.0.0.1:${PORT}`
  const login = await fetch(`${origin}/login_token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'admin', password: 'admin123' }),
  })
  const { data }: { data: Record<'token' | 'refresh_token', string> } = JSON.parse(await login.text())
  const info = await fetch(`${origin}/user_info`, { headers: { authorization: `Bearer ${data.token}` } })
  t.match(await info.json(), { code: 200, auth_type: 'token', data: { username: 'admin' } })

  const request = await slowLogin(Number(PORT))
  process.kill(pid, 'SIGTERM')
  await t.rejects(async () => {
    for (;;) {
      await fetch(`${origin}/healthz`, { headers: { connection: 'close' } })
      await new Promise((done) => setTimeout(done, 5))
    }
  }, 'no new connection is taken')
  t.match(await request.finish(), /HTTP\/1\.1 200 OK/, 'the request that was there is answered')
  t.equal(await started.exit, 0)
  t.notMatch(started.output(), data.token, 'the log holds no token')
  t.notMatch(started.output(), data.refresh_token)
  t.notMatch(started.output(), 'admin123')

  const refused = run(t, cwd, 'start:built', { NODE_ENV: 'production', SINGLE_INSTANCE: 'true', PORT })
  t.equal(await refused.exit, 1)
  t.match(
    refused.output().trim(),
    /^fastify-identity cannot start: AUTH_SECRETS is required [^\n]*$/,
    'one sentence',
  )
})
