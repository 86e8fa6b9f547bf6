// Shows on two real servers over a real Redis how a sign-out reaches every server: npm run lab:two
// It starts all three, stops Redis in between, and ends everything that it started. It needs redis-server.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { transpileInto } from './transpile.mjs'

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))

const FASTIFY = ['node_modules/.bin/fastify', 'start', '--options', '--config', 'scripts/start-options.cjs']
const SOURCES = ['app.ts', 'config', 'plugins', 'routes']
const TARGET = '.tap/lab-two'
const MODES = /** @type {const} */ (['cookie', 'session', 'token'])
/** How long a step may take, in ms. */
const PATIENCE = 120_000

/** @typedef {{ readonly name: string, readonly origin: string }} Server */
/** @typedef {Record<string, string>} Headers */

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set()
const directory = mkdtempSync(join(tmpdir(), 'fastify-identity-lab-'))

/** @param {string} text */
const say = (text) => console.log(text)

/** @param {string} program @param {string[]} args @param {NodeJS.ProcessEnv} [env] */
function start(program, args, env = process.env) {
  const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'inherit'] })
  children.add(child)
  child.once('error', () => children.delete(child))
  child.once('exit', () => children.delete(child))
  return child
}

/** @param {import('node:child_process').ChildProcess} child */
async function stop(child) {
  if (!children.has(child)) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
}

/** Asks again until it is so. @param {string} what @param {() => Promise<boolean>} isSo */
async function until(what, isSo) {
  for (const deadline = Date.now() + PATIENCE; !(await isSo()); await delay(5))
    if (Date.now() > deadline) throw new Error(`It did not come to this: ${what}`)
}

/** @returns {Promise<number>} a TCP port that was free a moment ago */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

/** Writes everything to its disk, so that a restart loses no sign-in. @param {number} port */
async function startRedis(port) {
  const folder = join(directory, 'redis')
  mkdirSync(folder, { recursive: true })
  const where = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--logfile', 'log']
  const child = start('redis-server', [...where, '--appendonly', 'yes', '--appendfsync', 'always'])
  await once(child, 'spawn').catch(() => {
    throw new Error('This needs redis-server. On Debian: apt-get install redis-server')
  })
  return child
}

/** @param {string} name @param {NodeJS.ProcessEnv} env @returns {Promise<Server>} */
async function startServer(name, env) {
  const PORT = `${await freePort()}`
  const origin = `http://127.0.0.1:${PORT}`
  const child = start(process.execPath, [...FASTIFY, `${TARGET}/app.js`], { ...process.env, ...env, PORT })
  const isReady = () =>
    fetch(`${origin}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    )
  await until(`server ${name} is ready`, async () => {
    if (!children.has(child)) throw new Error(`Server ${name} has ended.`)
    return isReady()
  })
  say(`Server ${name} runs at ${origin}, as process ${child.pid}.`)
  return { name, origin }
}

/** @param {Response} response @returns {Promise<string>} its status, and the code of a refusal */
async function told(response) {
  const [, error = ''] = /"error":"(\w+)"/.exec(await response.text()) ?? []
  return `${response.status} ${error}`.trim()
}

/** @param {Server} server @param {Headers} headers */
const ask = async ({ origin }, headers) => told(await fetch(`${origin}/user_info`, { headers }))

/** @param {Server} server @param {typeof MODES[number]} mode @returns {Promise<Headers>} what carries the credential */
async function signIn({ origin }, mode) {
  const response = await fetch(`${origin}/login_${mode}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'user1', password: 'user123' }),
  })
  const [, token] = /"token":"([^"]+)"/.exec(await response.text()) ?? []
  if (token) return { authorization: `Bearer ${token}` }
  const pairs = response.headers.getSetCookie().map((line) => line.split(';', 1)[0])
  return { cookie: pairs.join('; ') }
}

/** @param {Server} a @param {Server} b @param {typeof MODES[number]} mode */
async function signOutAtA(a, b, mode) {
  const headers = await signIn(a, mode)
  say(`\nYou sign in at A by ${mode}. B answers ${await ask(b, headers)}.`)
  const out = await fetch(`${a.origin}/logout_${mode}`, { method: 'POST', headers })
  const since = performance.now()
  say(`You sign out at A: ${await told(out)}.`)
  await until(`B refuses the ${mode}`, async () => (await ask(b, headers)) === '403 SIGNED_OUT')
  const lag = Math.round(performance.now() - since)
  say(`A copy of the ${mode} at B: 403 SIGNED_OUT, at most ${lag} ms after A’s answer.`)
}

/** @param {Server} b @param {Headers} headers @param {number} port @param {Awaited<ReturnType<typeof startRedis>>} redis */
async function stopRedis(b, headers, port, redis) {
  await stop(redis)
  const refused = '503 STORE_UNAVAILABLE'
  await until(`B answers ${refused}`, async () => (await ask(b, headers)) === refused)
  say(`Redis is stopped. B cannot know who has signed out, so it answers ${refused}.`)
  await startRedis(port)
  await until('B accepts the token again', async () => (await ask(b, headers)) === '200')
  say('Redis runs again. B answers 200: nobody was signed out.')
}

async function show() {
  const port = await freePort()
  const redis = await startRedis(port)
  say(`Redis runs on port ${port}.`)
  const env = {
    AUTH_SECRETS: randomBytes(48).toString('base64url'),
    DATA_DIR: join(directory, 'data'),
    HOST: '127.0.0.1',
    LOG_LEVEL: 'silent',
    NODE_ENV: 'development',
    REDIS_URL: `redis://127.0.0.1:${port}`,
  }
  const a = await startServer('A', env)
  const b = await startServer('B', env)
  for (const mode of MODES) await signOutAtA(a, b, mode)
  const headers = await signIn(a, 'token')
  say(`\nYou sign in at A by token. B answers ${await ask(b, headers)}.`)
  await stopRedis(b, headers, port, redis)
}

async function end() {
  await Promise.all([...children].map(stop))
  rmSync(directory, { recursive: true, force: true })
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM']))
  process.once(signal, () => end().finally(() => process.exit(1)))

try {
  const { faults } = await transpileInto(SOURCES, TARGET)
  if (faults.length > 0) throw new Error(faults.join(''))
  await show()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  await end()
}
