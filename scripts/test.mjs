// The test command. Without arguments, it runs all tests and checks the coverage of plugins/. With names of test
// files, it runs only those, without coverage. Its last line is "N passed, N failed".
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ensurePrograms } from './ensure-programs.mjs'
import { updatePage } from './page.mjs'
import { runFiles } from './run-files.mjs'
import { transpileInto } from './transpile.mjs'

// Inside the tree, so that compiled files find node_modules.
const BUILT = '.tap/built'
const COVERAGE = '.tap/coverage'
/** How long each test file took in its last run. In ms. */
const TIMES = '.tap/times.json'

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))

/** @param {{ passed: number, failed: number }} counts @returns {never} */
function finish({ passed, failed }) {
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(failed > 0 || passed === 0 ? 1 : 0)
}

/** @param {string} sentence @returns {never} */
function refuse(sentence) {
  console.log(sentence)
  finish({ passed: 0, failed: 1 })
}

const SOURCES = ['app.ts', 'config', 'examples', 'plugins', 'routes', 'test']

/** Compiles only changed files. `npm run typecheck` checks the types. */
async function compile() {
  const { faults } = await transpileInto(SOURCES, BUILT)
  if (faults.length === 0) return void (await updatePage(`${BUILT}/public`))
  console.log(faults.join(''))
  refuse('The tests could not be compiled.')
}

/** Test files find `scripts/file-tap.mjs` under the name of tap. */
function linkTap() {
  const tap = join(BUILT, 'node_modules/tap')
  mkdirSync(tap, { recursive: true })
  const { href } = pathToFileURL('scripts/file-tap.mjs')
  writeFileSync(join(tap, 'package.json'), '{ "type": "module", "exports": "./index.js" }')
  writeFileSync(join(tap, 'index.js'), `export { default, test } from '${href}'`)
}

/** An import of another module of this repository. */
const IMPORTED = /(?:from|import)\s*\(?'(\.[^']+\.js)'/g

/**
 * The modules that a compiled file imports, directly or not, and itself.
 * @param {string} file @param {Set<string>} [reached]
 */
function reach(file, reached = new Set()) {
  if (reached.has(file) || !existsSync(file)) return reached
  reached.add(file)
  for (const [, path = ''] of readFileSync(file, 'utf8').matchAll(IMPORTED))
    reach(join(dirname(file), path), reached)
  return reached
}

/** The helpers that start other programs than Node.js. */
const STARTERS = ['chromium', 'haproxy', 'nginx', 'postgres-server', 'redis-server'].map((name) =>
  join(BUILT, `test/helpers/${name}.js`),
)

/** @param {string[]} files the named ones. Empty means all */
function needPrograms(files) {
  const built = files.map((file) => join(BUILT, file.replace(/\.ts$/, '.js')))
  return files.length === 0 || built.some((file) => STARTERS.some((starter) => reach(file).has(starter)))
}

const testFiles = () =>
  readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => join('test', file))

/** @param {string[]} named */
async function runTests(named) {
  const { tally } = await import('./tally.mjs')
  const files = named.length > 0 ? named : testFiles()
  const coverage = named.length > 0 ? '' : COVERAGE
  // Many files wait more than they compute.
  const jobs = Math.max(2, availableParallelism()) + 1
  const times = existsSync(TIMES) ? JSON.parse(readFileSync(TIMES, 'utf8')) : {}
  const counts = await tally(runFiles(files, { built: BUILT, coverage, jobs, times }), console.log)
  writeFileSync(TIMES, JSON.stringify(times))
  return counts
}

/** @returns {Promise<number>} the number of printed faults */
async function judgeCoverage() {
  const { checkCoverage } = await import('./coverage.mjs')
  const { summary, faults } = checkCoverage(COVERAGE)
  for (const line of [summary, ...faults]) console.log(line)
  return faults.length
}

async function main() {
  const files = process.argv.slice(2)
  if (!existsSync('node_modules/tap')) {
    const { status } = spawnSync('npm', ['ci'], { stdio: 'inherit' })
    if (status !== 0)
      refuse('The tests need the packages of package-lock.json, and "npm ci" could not install them.')
  }
  // Debian's folders for haproxy and PostgreSQL. The PATH of most users lacks them.
  process.env.PATH += ':/usr/sbin:/usr/lib/postgresql/15/bin'
  await compile()
  linkTap()
  const missing = needPrograms(files) ? ensurePrograms() : null
  if (missing) refuse(missing)

  rmSync(COVERAGE, { recursive: true, force: true })
  const { passed, failed, failures } = await runTests(files)
  const faults = files.length > 0 ? 0 : await judgeCoverage()
  for (const failure of failures) console.log(`failed: ${failure}`)
  finish({ passed, failed: failed + faults })
}

try {
  await main()
} catch (error) {
  console.log(error)
  refuse('The test command itself failed.')
}
