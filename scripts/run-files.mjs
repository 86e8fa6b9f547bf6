import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { PassThrough } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { TestProcess } from './test-process.mjs'

/** They run the built package, the page or the scripts. Measuring coverage would only slow them down. */
const UNMEASURED = /^test\/(package\.test\.ts$|browser\/|scripts\/)/

/** These start few programs and wait little, so they run in turn in one process. */
const SHARING = /^test\/(bin|browser|docs|examples|plugins|routes)\/(?!lib\/(stores|database)\/)/

/** Except files with this comment: they change something that belongs to the whole process. */
const ALONE = /^\/\/ In a process of its own: /m

/** All files of this folder run in one process, because they share its Chromium. */
const TOGETHER = /^test\/browser\//

/**
 * @typedef {object} Run
 * @property {string} built directory of the compiled tests
 * @property {string} coverage directory for V8's coverage, or '' for none
 * @property {number} jobs the number of files at a time
 * @property {Record<string, number>} [times] by file, in ms. This run updates it
 */
/** @typedef {import('./test-process.mjs').Result} Result */

/** The output of tap's own runner for the file. @param {string} file @param {number} number @param {Result} result */
function block(file, number, { output, fault, ms }) {
  const inner = output.replace(/^TAP version \d+\n/, '').replace(/^(?=.)/gm, '    ')
  const bad = fault || /^not ok /m.test(output)
  const point = `${bad ? 'not ok' : 'ok'} ${number} - ${file} # time=${ms.toFixed(0)}ms\n`
  const diag = fault ? `  ---\n  fault: ${fault}\n  ...\n` : ''
  return `# Subtest: ${file}\n${inner}${point}${diag}`
}

/**
 * What a job takes at a time: one file, or all files that run together. Longest first, so that no long one runs alone at
 * the end. Those that were never measured come before, those near the top first: they start whole applications.
 * @param {readonly string[]} files @param {Record<string, number>} times
 * @returns {string[][]}
 */
function longestFirst(files, times) {
  const together = files.filter((file) => TOGETHER.test(file))
  const single = files.filter((file) => !TOGETHER.test(file)).map((file) => [file])
  const depth = (/** @type {string[]} */ [file = '']) => file.split('/').length
  const length = (/** @type {string[]} */ unit) =>
    unit.reduce((sum, file) => sum + (times[file] ?? Number.MAX_VALUE), 0)
  // Infinity - Infinity is no order.
  const compare = (/** @type {number} */ a, /** @type {number} */ b) => (a === b ? 0 : b > a ? 1 : -1)
  const units = together.length > 0 ? [together, ...single] : single
  return units.toSorted((a, b) => compare(length(a), length(b)) || depth(a) - depth(b))
}

/** @param {string} file @param {string} built */
const compiledOf = (file, built) => join(built, file.replace(/\.ts$/, '.js'))

/** @param {string} file @param {Run} run */
function taskOf(file, { built }) {
  const url = pathToFileURL(compiledOf(file, built)).href
  return { url, fixtures: resolve('.tap/fixtures', file.replaceAll('/', '-')) }
}

/** Whether the file must not share a process. @param {string} file @param {Run} run */
function isAlone(file, { built }) {
  const compiled = compiledOf(file, built)
  // A file that is missing fails in its process.
  return !SHARING.test(file) || !existsSync(compiled) || ALONE.test(readFileSync(compiled, 'utf8'))
}

/** @param {string} file @param {Run} run */
const startFor = (file, run) => new TestProcess(UNMEASURED.test(file) ? '' : run.coverage)

/** Runs a file in a process that ends with it. @param {string} file @param {Run} run */
async function runAlone(file, run) {
  const own = startFor(file, run)
  const result = await own.run({ ...taskOf(file, run), shared: false })
  const left = await own.stop()
  return { ...result, fault: result.fault ?? left }
}

/** Runs files in turn. Those after a fault get another process. */
class Job {
  #run
  /** @type {TestProcess | null} */
  #shared = null

  /** @param {Run} run */
  constructor(run) {
    this.#run = run
  }

  /** @param {string} file @returns {Promise<Result>} */
  async do(file) {
    if (isAlone(file, this.#run)) return runAlone(file, this.#run)
    this.#shared ??= startFor(file, this.#run)
    const result = await this.#shared.run({ ...taskOf(file, this.#run), shared: true })
    if (result.fault) await this.end()
    return result
  }

  /** @returns {Promise<string | null>} a fault */
  async end() {
    const shared = this.#shared
    this.#shared = null
    return (await shared?.stop()) ?? null
  }
}

/**
 * Runs test files, several at a time. It streams TAP.
 * @param {readonly string[]} files paths of the sources
 * @param {Run} run
 */
export function runFiles(files, run) {
  const { times = {} } = run
  const waiting = longestFirst(files, times)
  const out = new PassThrough()
  let number = 0
  const write = (/** @type {string} */ file, /** @type {Result} */ result) => {
    number += 1
    out.write(block(file, number, result))
  }
  const end = async (/** @type {Job} */ job) => {
    const fault = await job.end()
    if (fault) write('a process that ran several files', { output: '', fault, ms: 0 })
  }
  const runAll = async (/** @type {Job} */ job, /** @type {string[]} */ unit) => {
    for (const file of unit) {
      const result = await job.do(file)
      times[file] = Math.round(result.ms)
      write(file, result)
    }
  }
  const work = async () => {
    const job = new Job(run)
    for (let unit = waiting.shift(); unit; unit = waiting.shift()) {
      const own = TOGETHER.test(unit[0] ?? '') ? new Job(run) : job
      await runAll(own, unit)
      if (own !== job) await end(own)
    }
    await end(job)
  }
  out.write('TAP version 14\n')
  Promise.all(Array.from({ length: run.jobs }, work)).then(
    () => out.end(`1..${number}\n`),
    (error) => out.end(`Bail out! ${error}\n`),
  )
  return out
}
