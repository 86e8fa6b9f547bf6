import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { freePort } from './redis-server.js'
import { copyTree } from './tree.js'

type Teardown = Pick<Test, 'teardown'>
export type Env = Readonly<Record<string, string>>

/** A process that a test started, which ends with it. */
export interface Running {
  readonly pid: number
  /** All that it has written to stdout and stderr. */
  readonly output: () => string
  /** Its status, or the signal that ended it. Resolves when it has ended. */
  readonly exit: Promise<number | string | null>
  readonly isRunning: () => boolean
}

/**
 * Waits for the end of its input. Whatever ends the tests (a signal that nothing can catch included), it then
 * ends the process, unless a line has told that it is gone.
 */
const GUARD = 'read -r gone || kill -9 "$0"'

function guard(child: ChildProcess): void {
  const watch = spawn('sh', ['-c', GUARD, String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  watch.unref()
  const { stdin } = watch
  // The pipe alone must not keep the tests running.
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  child.once('exit', () => stdin.end('gone\n'))
}

/**
 * Where a module of this tree is that a process is to start: TypeScript, or what was compiled of it, as the
 * tests themselves are.
 * @param path without its extension, relative to the module that asks
 * @param from URL of that one
 */
export function modulePath(path: string, from: string): string {
  return fileURLToPath(new URL(path + extname(from), from))
}

/** Starts a program. */
export function runProcess(
  t: Teardown,
  [program, ...args]: readonly [string, ...string[]],
  options: { readonly cwd?: string; readonly env?: Env } = {},
): Running {
  const base = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' }
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...base, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (chunk) => {
      text += chunk
    })
  }
  child.once('error', (error) => {
    text += error.message
  })
  if (child.pid) guard(child)
  let running = true
  const exit = once(child, 'close')
    .catch(() => [null, 'not started'])
    .then(([code, signal]) => code ?? signal)
    .finally(() => {
      running = false
    })
  t.teardown(() => {
    child.kill('SIGKILL')
    return exit
  })
  return { pid: child.pid ?? 0, output: () => text, exit, isRunning: () => running }
}

/** Waits for something that a process comes to, in ms at most. Fails, with all that it has written, when it ends. */
export async function until(
  running: Running,
  condition: () => Promise<boolean> | boolean,
  within = 120_000,
): Promise<void> {
  for (const deadline = Date.now() + within; !(await condition()); await delay(20)) {
    if (!running.isRunning()) throw new Error(`it ended: ${running.output()}`)
    if (Date.now() > deadline) throw new Error(`it did not come to that: ${running.output()}`)
  }
}

/** The user center, built in a tree of its own, types unchecked: others do that. @returns the tree */
export async function buildUserCenter(t: Teardown): Promise<string> {
  const cwd = copyTree(t)
  await promisify(execFile)(process.execPath, ['scripts/build.mjs', '--no-check'], { cwd })
  return cwd
}

/** An instance of the user center in a process of its own. */
export interface Center extends Running {
  readonly port: number
  readonly origin: string
}

/** Starts one, as `npm run start:built` does, but with no npm in between: the process is the server. */
export async function startCenter(t: Teardown, cwd: string, env: Env): Promise<Center> {
  const port = await freePort()
  const start = ['start', '--options', '--config', 'scripts/start-options.cjs', 'dist/app.js']
  const running = runProcess(t, [process.execPath, 'node_modules/.bin/fastify', ...start], {
    cwd,
    env: { ...env, PORT: String(port) },
  })
  await until(running, () => /Server listening/.test(running.output()))
  return { ...running, port, origin: `http://127.0.0.1:${port}` }
}
