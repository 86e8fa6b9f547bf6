import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { Type } from 'typebox'
import { Value } from 'typebox/value'

function run(program: string, ...args: string[]): string {
  const { stdout } = spawnSync(program, args, { encoding: 'utf8' })
  return stdout ?? ''
}

export const hasPrograms = { taskset: run('taskset', '-V') !== '' }

const Package = Type.Object({ version: Type.String() })

/** The name and version of an installed package. */
function versionOf(name: string): string {
  const file = ['benchmarks/node_modules', 'node_modules']
    .map((directory) => join(directory, name, 'package.json'))
    .find((path) => existsSync(path))
  return file
    ? `${name} ${Value.Parse(Package, JSON.parse(readFileSync(file, 'utf8'))).version}`
    : `${name} –`
}

const PACKAGES = [
  ...[
    'fastify',
    '@fastify/cookie',
    '@fastify/session',
    '@fastify/jwt',
    'ioredis',
    'libsql',
    '@node-rs/argon2',
  ],
  ...['express', 'express-session', 'connect-redis', 'redis', 'jsonwebtoken', 'better-auth'],
]

function programVersion(program: string): string {
  const version = /\d+\.\d+\.\d+/.exec(run(program, '-v'))?.[0] ?? '–'
  return `${program} ${version}`
}

function commit(): string {
  const id = run('git', 'rev-parse', '--short', 'HEAD').trim()
  if (!id) return ''
  const changed = run('git', 'status', '--porcelain', '--', 'plugins', 'routes', 'app.ts').trim() !== ''
  return `, commit ${id}${changed ? ' with changes' : ''}`
}

/** The load of the last minute: other work of the machine affects every figure. */
const [load = 0] = loadavg()

/** Above this, the machine is not idle enough. */
const QUIET = 0.5

/** Date, versions and machine load of the following figures: one page may have figures of several runs. */
export function describeRun(): string {
  const day = new Date().toISOString().slice(0, 10)
  const quiet = load > QUIET ? ', **not a quiet machine**' : ''
  return `${day}${commit()}, load average before the run ${load.toFixed(1)}${quiet}`
}

/** The machine and its versions, one line each. */
export function describeMachine(): readonly string[] {
  const [first] = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  const { version } = Value.Parse(Package, JSON.parse(readFileSync('package.json', 'utf8')))
  return [
    `fastify-identity ${version}`,
    `${cpus().length} × ${first?.model.trim() ?? 'unknown'}, ${memory} GiB, ${type()} ${release()}`,
    `Node.js ${process.versions.node}, ${programVersion('redis-server')}, ${programVersion('wrk')}`,
    PACKAGES.map(versionOf).join(', '),
  ]
}
