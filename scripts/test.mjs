// The test command. Without arguments: every test, and the coverage of plugins/. With names of test files:
// those, without coverage. Its last line is "N passed, N failed".
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensurePrograms } from './ensure-programs.mjs'
import { hashOf, isMadeFrom, STAMP } from './inputs.mjs'
import { runFiles } from './run-files.mjs'

// In the tree itself, so that what is compiled finds node_modules.
const BUILT = '.tap/built'
const COVERAGE = '.tap/coverage'

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

/** What is compiled, and with what. */
const INPUTS = ['app.ts', 'config', 'examples', 'plugins', 'public', 'routes', 'test']
const SETTINGS = ['package-lock.json', 'scripts', 'tsconfig.json', 'tsconfig.test.json']

/**
 * What imports the suite by its name must find the very modules that the tests import by their path: of two copies
 * neither `instanceof` nor a symbol would hold.
 */
function linkSuite() {
  const suite = `${BUILT}/node_modules/fastify-identity`
  mkdirSync(suite, { recursive: true })
  copyFileSync('plugins/package.json', `${suite}/package.json`)
  symlinkSync('../../plugins', `${suite}/dist`)
}

/** Types are another command's matter: here they are only taken away, and not again from what was compiled last. */
function compile() {
  const inputs = hashOf([...INPUTS, ...SETTINGS])
  if (isMadeFrom(BUILT, inputs)) return
  rmSync(BUILT, { recursive: true, force: true })
  const args = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json', '--outDir', BUILT]
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' })
  const page = spawnSync(process.execPath, ['scripts/build-page.mjs', BUILT], { stdio: 'inherit' })
  if (status !== 0 || page.status !== 0) refuse('The tests could not be compiled.')
  linkSuite()
  writeFileSync(join(BUILT, STAMP), inputs)
}

/** Where a compiled module says that it needs another one of ours. */
const IMPORTED = /(?:from|import)\s*\(?'(\.[^']+\.js)'/g

/**
 * What a compiled file leads to, itself included.
 * @param {string} file @param {Set<string>} [reached]
 */
function reach(file, reached = new Set()) {
  if (reached.has(file) || !existsSync(file)) return reached
  reached.add(file)
  for (const [, path = ''] of readFileSync(file, 'utf8').matchAll(IMPORTED))
    reach(join(dirname(file), path), reached)
  return reached
}

/** The helpers that start a program which is not Node.js. */
const STARTERS = ['chromium', 'haproxy', 'postgres-server', 'redis-server'].map((name) =>
  join(BUILT, `test/helpers/${name}.js`),
)

/** @param {string[]} files named ones; all where there are none */
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
  const jobs = Math.max(2, availableParallelism())
  return tally(runFiles(files, { built: BUILT, coverage, jobs }), console.log)
}

/** @returns {Promise<number>} how many faults were found, all printed */
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
  // Where Debian puts haproxy, and only root's PATH leads; and PostgreSQL, where nobody's does.
  process.env.PATH += ':/usr/sbin:/usr/lib/postgresql/15/bin'
  compile()
  const missing = needPrograms(files) ? ensurePrograms() : null
  if (missing) refuse(missing)

  rmSync(COVERAGE, { recursive: true, force: true })
  const { passed, failed, failures } = await runTests(files)
  const faults = files.length > 0 ? 0 : await judgeCoverage()
  for (const failure of failures) console.log(`failed: ${failure.name}`)
  finish({ passed, failed: failed + faults })
}

try {
  await main()
} catch (error) {
  console.log(error)
  refuse('The test command itself failed.')
}
