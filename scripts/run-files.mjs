import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'

/** A test file that takes longer is killed, with all processes that it started. In ms. */
const TIMEOUT = 600_000

/** Runs the built package. Measuring coverage would slow it down. */
const UNMEASURED = 'test/package.test.ts'

/**
 * @typedef {object} Run
 * @property {string} built directory of the compiled tests
 * @property {string} coverage directory for V8's coverage, or '' for none
 * @property {number} jobs the number of files at a time
 */

/** @param {string} file @param {Run} run */
function environment(file, { coverage }) {
  const { NODE_V8_COVERAGE: _, ...inherited } = process.env
  const env = { ...inherited, TAP: '1', TAP_COLORS: '0', TAP_TIMEOUT: String(TIMEOUT / 1000) }
  return coverage && file !== UNMEASURED ? { ...env, NODE_V8_COVERAGE: coverage } : env
}

/** Kills a group of processes. The group may have ended already. @param {number} pid */
function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {}
}

/** A process that exits with 0 before its tests have run must not pass. @param {string} output */
const unplanned = (output) => (/^1\.\.[1-9]/m.test(output) ? null : 'ended without a plan')

/**
 * Runs one compiled test file in its own process, the leader of a process group.
 * @param {string} file @param {Run} run
 */
async function runFile(file, run) {
  const compiled = `${run.built}/${file.replace(/\.ts$/, '.js')}`
  const started = performance.now()
  const child = spawn(process.execPath, ['--enable-source-maps', compiled], {
    env: environment(file, run),
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  let late = false
  const timer = setTimeout(() => {
    late = true
    killGroup(child.pid ?? 0)
  }, TIMEOUT)
  const [output, [status, signal]] = await Promise.all([text(child.stdout), once(child, 'close')])
  clearTimeout(timer)
  const ended = late ? 'timeout' : (signal ?? status)
  return {
    output,
    fault: ended === 0 ? unplanned(output) : `ended with ${ended}`,
    ms: performance.now() - started,
  }
}

/** The output of tap's own runner for the file. @param {string} file @param {number} number @param {{ output: string, fault: string | null, ms: number }} result */
function block(file, number, { output, fault, ms }) {
  const inner = output.replace(/^TAP version \d+\n/, '').replace(/^(?=.)/gm, '    ')
  const point = `${fault ? 'not ok' : 'ok'} ${number} - ${file} # time=${ms.toFixed(0)}ms\n`
  const diag = fault ? `  ---\n  fault: ${fault}\n  ...\n` : ''
  return `# Subtest: ${file}\n${inner}${point}${diag}`
}

/** Files near the top come first: they start whole applications and take longest. @param {string[]} files */
const longestFirst = (files) => files.toSorted((a, b) => a.split('/').length - b.split('/').length)

/**
 * Runs test files, several at a time. It streams TAP.
 * @param {readonly string[]} files paths of the sources
 * @param {Run} run
 */
export function runFiles(files, run) {
  const waiting = longestFirst([...files])
  const out = new PassThrough()
  let number = 0
  const work = async () => {
    for (let file = waiting.shift(); file; file = waiting.shift()) {
      const result = await runFile(file, run)
      number += 1
      out.write(block(file, number, result))
    }
  }
  out.write(`TAP version 14\n1..${files.length}\n`)
  Promise.all(Array.from({ length: run.jobs }, work)).then(
    () => out.end(),
    (error) => out.end(`Bail out! ${error}\n`),
  )
  return out
}
