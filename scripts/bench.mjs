// The benchmark command: installs the compared libraries, builds, and runs benchmarks/main.ts.
//   npm run bench                         everything, and writes docs/performance.md and .svg
//   npm run bench -- --quick              a short run that checks the benchmarks and writes nothing
//   npm run bench -- compare growth       only these parts; the last results of the others stay
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensurePrograms } from './ensure-programs.mjs'

const PROGRAMS = [
  { name: 'redis-server', command: 'redis-server', option: '-v' },
  { name: 'wrk', command: 'wrk', option: '-v' },
]
const PACKAGES = 'benchmarks/node_modules'

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))

/** @param {string} sentence @returns {never} */
function refuse(sentence) {
  console.error(sentence)
  process.exit(1)
}

/** @param {string} program @param {string[]} args @param {string} [cwd] */
function call(program, args, cwd = '.') {
  const { status } = spawnSync(program, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) refuse(`"${program} ${args.join(' ')}" failed.`)
}

/**
 * Compiles the benchmarks beside dist/, so that they import the same files as a user. Some import internals of the
 * suite by the path of the sources: a link leads from there to the build.
 */
function build() {
  call('npm', ['run', '--silent', 'build'])
  rmSync('dist/plugins', { recursive: true, force: true })
  call(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'benchmarks/tsconfig.build.json'])
  mkdirSync('dist/benchmarks', { recursive: true })
  rmSync('dist/benchmarks/node_modules', { force: true })
  symlinkSync('../../benchmarks/node_modules', 'dist/benchmarks/node_modules')
  // The compiler has made another copy of these internals.
  rmSync('dist/plugins', { recursive: true, force: true })
  symlinkSync('../plugins/dist', 'dist/plugins')
}

const cores = availableParallelism()

/** With several cores, everything except the measured servers runs on the last core. */
function onLastCore() {
  const last = cores - 1
  const pinned = last > 0 && spawnSync('taskset', ['-V'], { stdio: 'ignore' }).status === 0
  return pinned ? ['taskset', '-c', String(last), process.execPath] : [process.execPath]
}

if (!existsSync('node_modules/fastify')) call('npm', ['ci'])
if (!existsSync(PACKAGES)) call('npm', ['ci', '--no-audit', '--no-fund'], 'benchmarks')
const missing = ensurePrograms(PROGRAMS, 'The benchmarks')
if (missing) refuse(missing)
build()
const [program = '', ...before] = onLastCore()
const main = ['--enable-source-maps', 'dist/benchmarks/main.js', ...process.argv.slice(2)]
// A process that is pinned to one core cannot see the others.
const env = { ...process.env, BENCH_CORES: String(cores) }
spawn(program, [...before, ...main], { stdio: 'inherit', env }).once('exit', (code) =>
  process.exit(code ?? 1),
)
