import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** A real Redis that a test started. It keeps nothing on disk. */
export interface RedisServer {
  /** For ioredis: `redis://127.0.0.1:<port>`, or the path of the socket. */
  readonly url: string
  /** 0 when it listens on a socket only. */
  readonly port: number
  /** Of the process that runs now. */
  readonly pid: number
  /** Ends it (SIGKILL, nothing is saved) and waits until it is gone. `start` brings it back, empty. */
  kill(): Promise<void>
  /** Starts it again at the same address. */
  start(): Promise<void>
  /** Freezes it: connections stay open, and nothing is answered. */
  pause(): void
  resume(): void
  /** Ends it for good and removes its directory. May be called twice. */
  stop(): Promise<void>
}

export interface RedisServerOptions {
  /** On a free TCP port instead of a socket. */
  readonly tcp?: boolean
  /** More arguments, such as `['--maxmemory', '2mb']`. */
  readonly args?: readonly string[]
}

const MISSING = 'The tests need redis-server on the PATH: install it with "apt-get install redis-server".'
const START_TIMEOUT = 10_000

const running = new Set<ChildProcess>()
const directories = new Set<string>()

// A test file that fails half way must leave no server and no directory behind.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

/** A TCP port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('No TCP port was given.')
  return address.port
}

function connect(address: string | number): Socket {
  return typeof address === 'number' ? createConnection(address, '127.0.0.1') : createConnection(address)
}

/** Whether a Redis answers there: with PONG, or because it wants a password, with an error. */
function answers(address: string | number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address)
    const settle = (answer: string) => {
      socket.destroy()
      resolve(/^(\+PONG|-NOAUTH)/.test(answer))
    }
    socket.once('connect', () => socket.write('PING\r\n'))
    socket.once('data', (data) => settle(String(data)))
    socket.once('error', () => settle(''))
    socket.once('close', () => settle(''))
  })
}

async function launch(address: string | number, directory: string, extra: readonly string[]) {
  const where =
    typeof address === 'number'
      ? ['--port', String(address), '--bind', '127.0.0.1']
      : ['--port', '0', '--unixsocket', address]
  const quiet = ['--dir', directory, '--save', '', '--appendonly', 'no', '--daemonize', 'no']
  const child = spawn('redis-server', [...where, ...quiet, ...extra], { stdio: 'ignore' })
  let gone: Error | null = null
  child.once('error', () => {
    gone = new Error(MISSING)
  })
  child.once('exit', () => {
    gone ??= new Error('redis-server ended by itself while starting.')
    running.delete(child)
  })
  running.add(child)
  const deadline = Date.now() + START_TIMEOUT
  while (!(await answers(address))) {
    if (gone) throw gone
    if (Date.now() > deadline) throw new Error('redis-server did not start to answer.')
    await delay(5)
  }
  // Somebody else's server may answer on a port that was taken meanwhile.
  if (gone) throw gone
  return child
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

async function launchAnywhere(options: RedisServerOptions, directory: string) {
  const args = options.args ?? []
  if (!options.tcp) {
    const address = join(directory, 'redis.sock')
    return { address, child: await launch(address, directory, args) }
  }
  for (let attempt = 1; ; attempt++) {
    const address = await freePort()
    try {
      return { address, child: await launch(address, directory, args) }
    } catch (error) {
      if (attempt === 5 || (error instanceof Error && error.message === MISSING)) throw error
    }
  }
}

/** Starts a Redis of the test's own. Stop it in a teardown. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const directory = mkdtempSync(join(tmpdir(), 'redis-'))
  directories.add(directory)
  const first = await launchAnywhere(options, directory)
  const { address } = first
  let { child } = first
  return {
    url: typeof address === 'number' ? `redis://127.0.0.1:${address}` : address,
    port: typeof address === 'number' ? address : 0,
    get pid() {
      return child.pid ?? 0
    },
    kill: () => end(child),
    async start() {
      child = await launch(address, directory, options.args ?? [])
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async stop() {
      await end(child)
      rmSync(directory, { recursive: true, force: true })
      directories.delete(directory)
    },
  }
}
