// Builds the application into dist/: node scripts/build.mjs [--force]
// It does nothing when dist/ was made from these same inputs. It never writes into dist/: a server may be running
// from it, or starting. A build is made beside it, and takes its place when it is whole.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hashOf, isMadeFrom, STAMP } from './inputs.mjs'

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))

const INPUTS = [
  'app.ts',
  'bin',
  'examples',
  'plugins',
  'public',
  'routes',
  'scripts/build.mjs',
  'scripts/build-page.mjs',
  'scripts/inputs.mjs',
]
const SETTINGS = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json']
/** On the same file system as dist/, since a rename cannot leave it. */
const BESIDE = '.tap'
/** @param {string[]} args @returns {Promise<number>} its status */
async function run(...args) {
  const [status] = await once(spawn(process.execPath, args, { stdio: 'inherit' }), 'exit')
  return status ?? 1
}

/** @param {string} target an empty directory: nothing of sources that are gone stays behind */
async function compile(target) {
  const statuses = await Promise.all([
    run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', target),
    run('scripts/build-page.mjs', target),
  ])
  return statuses.every((status) => status === 0)
}

/** Between the two renames there is no dist/, for some microseconds. @param {string} target */
function swap(target) {
  const old = `${target}.old`
  if (existsSync('dist')) renameSync('dist', old)
  renameSync(target, 'dist')
  rmSync(old, { recursive: true, force: true })
}

async function build() {
  const inputs = hashOf([...INPUTS, ...SETTINGS])
  const force = process.argv.includes('--force')
  if (!force && isMadeFrom('dist', inputs)) return
  mkdirSync(BESIDE, { recursive: true })
  const target = mkdtempSync(`${BESIDE}/dist-`)
  try {
    if (!(await compile(target))) {
      process.exitCode = 1
      return
    }
    writeFileSync(join(target, STAMP), inputs)
    // Another build of the same may have been faster, and a server may be starting from it.
    if (force || !isMadeFrom('dist', inputs)) swap(target)
  } finally {
    rmSync(target, { recursive: true, force: true })
  }
}

await build()
