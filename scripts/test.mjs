// The test command. Without arguments: every test, and the coverage of plugins/. With names of test files:
// those, without coverage. Its last line is "N passed, N failed".
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensurePrograms } from './ensure-programs.mjs'

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

/** @param {string[]} files */
async function runTap(files) {
  const { tally } = await import('./tally.mjs')
  const jobs = `--jobs=${Math.max(2, availableParallelism())}`
  const scope = files.length > 0 ? ['--disable-coverage', ...files] : []
  const args = ['node_modules/tap/dist/esm/run.mjs', 'run', '--reporter=tap', jobs, ...scope]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'close')
  const counts = await tally(child.stdout, console.log)
  const [status, signal] = await exited
  return { ...counts, ended: status ?? signal }
}

/** @returns {Promise<number>} how many faults were found, all printed */
async function judgeCoverage() {
  const { checkCoverage } = await import('./coverage.mjs')
  const { summary, faults } = checkCoverage()
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
  // Where Debian puts haproxy, and only root's PATH leads.
  process.env.PATH += ':/usr/sbin'
  const missing = ensurePrograms()
  if (missing) refuse(missing)

  rmSync('.tap/report', { recursive: true, force: true })
  const { passed, failed, failures, ended } = await runTap(files)
  const faults = files.length > 0 ? 0 : await judgeCoverage()
  for (const failure of failures) console.log(`failed: ${failure.name}`)
  // tap itself ends with 1 for what was counted above; with no such thing its status is a failure of its own.
  const unexplained = ended !== 0 && failed + faults === 0 ? 1 : 0
  if (unexplained) console.log(`tap ended with ${ended}.`)
  finish({ passed, failed: failed + faults + unexplained })
}

try {
  await main()
} catch (error) {
  console.log(error)
  refuse('The test command itself failed.')
}
