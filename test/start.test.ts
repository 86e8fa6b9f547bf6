import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { MODES } from './helpers/http.js'
import { runProcess, until } from './helpers/processes.js'
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

const cwd = copyTree(t)
// Whether the types hold is the type check's business, and takes ten times as long.
for (const file of ['tsconfig.build.json', 'plugins/tsconfig.json']) {
  const settings = JSON.parse(readFileSync(join(cwd, file), 'utf8'))
  const compilerOptions = { ...settings.compilerOptions, noCheck: true }
  writeFileSync(join(cwd, file), JSON.stringify({ ...settings, compilerOptions }))
}

t.test('npm start builds and runs the user center; a stop signal lets requests finish', async (t) => {
  const PORT = String(await freePort())
  const started = run(t, cwd, 'start', { PORT })
  const pid = await listening(started)
  const origin = `http://127.0.0.1:${PORT}`
  t.match(await (await fetch(origin)).text(), '<script type="module"', 'the page is there')
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

/** Starts what is built as a process of its own, with its output where a shell leads it. */
async function startInto(t: Test, redirection: string, env: Record<string, string>) {
  const start = ['start', '--options', '--config', 'scripts/start-options.cjs', 'dist/app.js']
  const shell = ['sh', '-c', `exec "$0" "$@" ${redirection}`, process.execPath] as const
  const PORT = String(await freePort())
  const running = runProcess(t, [...shell, 'node_modules/.bin/fastify', ...start], {
    cwd,
    env: { ...env, PORT },
  })
  const answers = async () => (await fetch(`http://127.0.0.1:${PORT}/healthz`)).ok
  return { ...running, isUp: () => until(running, () => answers().catch(() => false)) }
}

t.test('where standard output is full, the server runs, says so, and stops', async (t) => {
  for (const redirection of ['>/dev/full', '>/dev/full 2>&1']) {
    const { isUp, pid, exit, output } = await startInto(t, redirection, { DATA_DIR: t.testdir({}) })
    await isUp()
    process.kill(pid, 'SIGTERM')
    t.equal(await exit, 0, redirection)
    if (!redirection.includes('2>&1')) t.match(output(), /cannot write its log, and drops lines: ENOSPC/)
  }
  const { exit, output } = await startInto(t, '>/dev/full', {
    NODE_ENV: 'production',
    SINGLE_INSTANCE: 'true',
  })
  t.equal(await exit, 1)
  t.match(output(), 'AUTH_SECRETS is required')
})

t.test('a second start builds nothing, and needs nothing of dist/ once it runs', async (t) => {
  const { ino } = statSync(join(cwd, 'dist'))
  const PORT = String(await freePort())
  const started = run(t, cwd, 'start', { PORT, DATA_DIR: t.testdir({}) })
  const pid = await listening(started)
  t.equal(statSync(join(cwd, 'dist')).ino, ino)
  renameSync(join(cwd, 'dist'), join(cwd, 'before'))
  const origin = `http://127.0.0.1:${PORT}`
  const page = await fetch(origin)
  t.match(await page.text(), /src="\/page\/main\.en-[\da-f]{16}\.js"/)
  for (const file of readdirSync(join(cwd, 'before/public'), { recursive: true, encoding: 'utf8' })) {
    if (!/\.(css|js|svg)$/.test(file) || file.startsWith('lab')) continue
    const answer = await fetch(`${origin}/page/${file}`)
    t.equal(answer.status, 200, file)
    t.equal(await answer.text(), readFileSync(join(cwd, 'before/public', file), 'utf8'))
  }
  for (const mode of MODES) {
    const body = JSON.stringify({ username: 'user1', password: 'user123' })
    const headers = { 'content-type': 'application/json' }
    const login = await fetch(`${origin}/login_${mode}`, { method: 'POST', headers, body })
    t.equal(login.status, 200, mode)
  }
  process.kill(pid, 'SIGTERM')
  t.equal(await started.exit, 0)
})
