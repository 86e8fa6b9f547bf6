// Builds the suite into plugins/dist/ and the user center into dist/: node scripts/build.mjs [--force] [--no-check]
// It does nothing if both were made from the same inputs. It never writes into them, since a server may run from
// there. TypeScript keeps its outputs in .tap/build/ and compiles only changed files. The script copies the outputs,
// bundles the page, and puts the complete copies in place.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hashOf, isMadeFrom, STAMP } from './inputs.mjs'
import { withLock } from './lock.mjs'
import { buildPage } from './page.mjs'

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))

const INPUTS = [
  'app.ts',
  'config',
  'examples',
  'plugins',
  'public',
  'routes',
  'scripts/build.mjs',
  'scripts/inputs.mjs',
  'scripts/bundle.mjs',
  'scripts/page.mjs',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
]
const PROJECTS = ['tsconfig.build.json', 'public']
/** On the same file system as the targets, since a rename cannot leave it. */
const BESIDE = '.tap'
/** The outputs of tsc -b. It never deletes one, even if its source is deleted. */
const OUTPUTS = `${BESIDE}/build`

/** @param {string} inputs */
const isCurrent = (inputs) => existsSync('plugins/dist') && isMadeFrom('dist', inputs)

/** @param {string[]} options @returns {Promise<boolean>} whether it compiled */
async function compile(options) {
  const args = ['node_modules/typescript/bin/tsc', '-b', ...PROJECTS, ...options]
  const [status] = await once(spawn(process.execPath, args, { stdio: 'inherit' }), 'exit')
  return status === 0
}

/**
 * Copies the outputs whose sources still exist.
 * @param {string} project its folder in the outputs
 * @param {string} sources the folder of its sources
 * @param {RegExp} wanted the endings of its files
 * @param {string} target
 */
function copy(project, sources, wanted, target) {
  const from = `${OUTPUTS}/${project}`
  const isWanted = (/** @type {string} */ path) =>
    wanted.test(path) && existsSync(join(sources, relative(from, path).replace(/(\.d)?\.[jt]s$/, '.ts')))
  cpSync(from, target, { recursive: true, filter: (path) => statSync(path).isDirectory() || isWanted(path) })
}

/** @param {string} target */
async function makeAll(target) {
  copy('plugins', 'plugins', /\.(js|d\.ts)$/, `${target}/suite`)
  copy('app', '.', /\.js$/, `${target}/center`)
  await buildPage(`${target}/center/public`)
}

/** Between the two renames, the place is empty for some microseconds. @param {string} made @param {string} place */
function swap(made, place) {
  const old = `${made}.old`
  if (existsSync(place)) renameSync(place, old)
  renameSync(made, place)
  rmSync(old, { recursive: true, force: true })
}

/** @param {string} inputs */
async function put(inputs) {
  const target = mkdtempSync(`${BESIDE}/dist-`)
  try {
    await makeAll(target)
    writeFileSync(`${target}/center/${STAMP}`, inputs)
    // The one with the stamp comes last. If the process ends before that, the next build does the work again.
    swap(`${target}/suite`, 'plugins/dist')
    swap(`${target}/center`, 'dist')
  } finally {
    rmSync(target, { recursive: true, force: true })
  }
}

async function build() {
  const force = process.argv.includes('--force')
  const inputs = hashOf(INPUTS)
  // True also if another build of the same inputs was faster.
  if (!force && isCurrent(inputs)) return
  if (force) rmSync(OUTPUTS, { recursive: true, force: true })
  if (await compile(process.argv.includes('--no-check') ? ['--noCheck'] : [])) await put(inputs)
  else process.exitCode = 1
}

const isUpToDate = !process.argv.includes('--force') && isCurrent(hashOf(INPUTS))
if (!isUpToDate) {
  mkdirSync(BESIDE, { recursive: true })
  await withLock(`${BESIDE}/build.lock`, build)
}
