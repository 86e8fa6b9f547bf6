import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
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
  /** Makes it a sentinel, on a free TCP port: lines of its configuration. It keeps its state over a kill. */
  readonly sentinel?: string
}

const MISSING = 'The tests need redis-server on the PATH: install it with "apt-get install redis-server".'
const START_TIMEOUT = 60_000

/**
 * Reads the pid of the server that runs now, or an empty line when it has ended. Whatever ends the tests (a
 * signal that nothing can catch included), its input then closes, and it ends the server and removes the directory.
 * @param ending how to end `$now`
 */
export function startGuard(directory: string, ending = 'kill -9 "$now"') {
  const script = `now=; while read -r pid; do now=$pid; done; [ -n "$now" ] && ${ending}; rm -rf "$0"`
  const guard = spawn('sh', ['-c', script, directory], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  guard.unref()
  const { stdin } = guard
  // The pipe alone must not keep the tests running.
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  return {
    watch(child: ChildProcess) {
      stdin.write(`${child.pid ?? ''}\n`)
      child.once('exit', () => stdin.writable && stdin.write('\n'))
    },
    end: () => stdin.end(),
  }
}

type Guard = ReturnType<typeof startGuard>

/**
 * Below those that a system hands out by itself: whoever else asks for any port meanwhile gets none of these. Told
 * another one's port, a test would talk to that one's server.
 */
const PORTS = [10_000, 32_000] as const

function listens(server: Server, port: number): Promise<boolean> {
  return once(server.listen(port, '127.0.0.1'), 'listening').then(
    () => true,
    () => false,
  )
}

/** A TCP port that was free a moment ago. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const [server, port] = [createServer(), randomInt(...PORTS)]
    if (!(await listens(server, port))) continue
    server.close()
    await once(server, 'close')
    return port
  }
  throw new Error('No TCP port was free.')
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

interface Place {
  readonly directory: string
  readonly guard: Guard
  readonly args: readonly string[]
  readonly sentinel: string | undefined
}

/** A sentinel wants a file, and writes into it what it has learned. */
function sentinelArguments(address: string | number, directory: string, lines: string): string[] {
  const file = join(directory, 'sentinel.conf')
  const text = `port ${address}\nbind 127.0.0.1\ndir ${directory}\n${lines}\n`
  if (!existsSync(file)) writeFileSync(file, text)
  return [file, '--sentinel']
}

async function launch(
  address: string | number,
  { directory, guard, args, sentinel }: Place,
): Promise<ChildProcess> {
  const where =
    typeof address === 'number'
      ? ['--port', String(address), '--bind', '127.0.0.1']
      : ['--port', '0', '--unixsocket', address]
  const quiet = ['--dir', directory, '--save', '', '--appendonly', 'no', '--daemonize', 'no']
  const all =
    sentinel === undefined ? [...where, ...quiet, ...args] : sentinelArguments(address, directory, sentinel)
  const child = spawn('redis-server', all, { stdio: 'ignore' })
  guard.watch(child)
  let failure = ''
  child.once('error', () => {
    failure = MISSING
  })
  child.once('exit', () => {
    failure ||= 'redis-server ended by itself while starting.'
  })
  const deadline = Date.now() + START_TIMEOUT
  while (!(await answers(address)) && !failure) {
    if (Date.now() > deadline) failure = 'redis-server did not start to answer.'
    await delay(5)
  }
  // Looked at last: somebody else's server may answer on a port that was taken meanwhile.
  if (failure) {
    child.kill('SIGKILL')
    throw new Error(failure)
  }
  return child
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

async function launchAnywhere(tcp: boolean, place: Place) {
  if (!tcp) {
    const address = join(place.directory, 'redis.sock')
    return { address, child: await launch(address, place) }
  }
  for (let attempt = 1; ; attempt++) {
    const address = await freePort()
    try {
      return { address, child: await launch(address, place) }
    } catch (error) {
      rmSync(join(place.directory, 'sentinel.conf'), { force: true })
      if (attempt === 3 || (error instanceof Error && error.message === MISSING)) throw error
    }
  }
}

/** Starts a Redis of the test's own. Stop it in a teardown. */
export async function startRedis({
  tcp = false,
  args = [],
  sentinel,
}: RedisServerOptions = {}): Promise<RedisServer> {
  const directory = mkdtempSync(join(tmpdir(), 'redis-'))
  const guard = startGuard(directory)
  const place = { directory, guard, args, sentinel }
  const first = await launchAnywhere(tcp || sentinel !== undefined, place)
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
      child = await launch(address, place)
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async stop() {
      await end(child)
      rmSync(directory, { recursive: true, force: true })
      guard.end()
    },
  }
}
