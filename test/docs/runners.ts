import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Test } from 'tap'
import userCenter, { serverOptions } from '../../app.js'
import { listen } from '../helpers/http.js'
import { makeDataDir } from '../helpers/user-center.js'
import { ROOT } from './blocks.js'
import { BUILT } from './outside.js'

/** A block of TypeScript: a module that has, or is given, an `app`. */
export interface ModuleRunner {
  /** What stands before the block: see setups.ts. Nothing, for a block that is a whole program. */
  readonly before?: string
  /** What stands behind it, for what the block leaves to its reader. */
  readonly after?: string
  /** What must be true of it when it has run. `exports` are those of the module. */
  check(t: Test, app: FastifyInstance, exports: Readonly<Record<string, unknown>>): Promise<unknown>
}

/** A block in another language: runs it, and says what must come of it. */
export type TextRunner = (t: Test, text: string) => Promise<unknown>

/** How the blocks of one page are run, by their names. */
export type Page = Readonly<Record<string, ModuleRunner | TextRunner>>

/** For a block that cannot run here: why, and what is looked at instead. */
export function notRun(reason: string, check: TextRunner): TextRunner {
  return async (t, text) => {
    t.comment(`not run: ${reason}`)
    await check(t, text)
  }
}

/** Every `npm run X`, `npm start` and `npm test` of the text is a script of package.json. */
export async function isScripted(t: Test, text: string): Promise<void> {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const named = [...text.matchAll(/npm (?:run )?([\w:]+)|\b(example:\w+)/g)].map(([, a, b]) => a ?? b ?? '')
  for (const name of named.filter((name) => !['ci', 'install', 'run'].includes(name)))
    t.ok(name in scripts, name)
  if (named.length === 0) t.fail('it names no script')
}

export interface Shell {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string
  /** Goes on where something fails, as a terminal does. */
  readonly lenient?: boolean
}

export interface Printed {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** A program that stands in for one of that name. */
function putProgram(directory: string, name: string, script: string): void {
  const path = join(directory, name)
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
}

/** `npx fastify-identity`, as this tree has it, and an npm that builds nothing. */
export function makePrograms(t: Test, programs: Readonly<Record<string, string>> = {}): string {
  const directory = join(makeDataDir(t), 'bin')
  mkdirSync(directory)
  const command = `exec '${process.execPath}' '${join(BUILT, 'plugins/bin/fastify-identity.js')}' "$@"`
  putProgram(directory, 'npx', `[ "$1" = fastify-identity ] || exit 9\nshift\n${command}`)
  for (const [name, script] of Object.entries(programs)) putProgram(directory, name, script)
  return directory
}

/** Runs a script as a reader would who pastes it. The first failure ends it, unless it is `lenient`. */
export function runShell(
  script: string,
  { cwd, env = {}, stdin = '', lenient = false }: Shell,
): Promise<Printed> {
  const { PATH = '', HOME = '', NODE_V8_COVERAGE = '' } = process.env
  const base = { PATH: [env.PROGRAMS, PATH].filter(Boolean).join(delimiter), HOME, NODE_V8_COVERAGE }
  return new Promise((resolve) => {
    const child = execFile(
      'sh',
      [lenient ? '-c' : '-ec', script],
      { cwd, env: { ...env, ...base } },
      (error, stdout, stderr) => resolve({ status: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    )
    // A script may end before it has read its input: that breaks the pipe, and is no fault.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(stdin)
  })
}

export interface RunningCenter {
  readonly app: FastifyInstance
  readonly port: number
  /** For the command line beside it. */
  readonly env: Readonly<Record<string, string>>
}

/** The user center as `npm start` has it, on a port and with a data directory of its own, by the real clock. */
export async function startCenter(t: Test, more: Record<string, string> = {}): Promise<RunningCenter> {
  const env = { DATA_DIR: makeDataDir(t), ...more }
  const app = Fastify(serverOptions(env))
  t.teardown(() => app.close())
  await app.register(fp(userCenter), { env })
  return { app, port: await listen(app), env }
}

/** Puts a port of the test's in the place of the one that the page names. */
export const atPort = (text: string, port: number) =>
  text.replaceAll('http://127.0.0.1:3000', `http://127.0.0.1:${port}`)

/** Where the application of a block listens. */
export function portOf({ server }: FastifyInstance): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it listens on no port')
  return address.port
}
