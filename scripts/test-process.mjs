import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A test file that takes longer is killed, with all processes that it started. In ms. */
const TIMEOUT = 600_000

const WORKER = fileURLToPath(new URL('test-worker.mjs', import.meta.url))

/** @typedef {{ output: string, fault: string | null }} Answer */
/** @typedef {Answer & { ms: number }} Result */

/** @param {string} coverage directory for V8's coverage, or '' for none */
function environment(coverage) {
  const { NODE_V8_COVERAGE: _, ...inherited } = process.env
  // tap's own root object runs no test here. After its timeout, it would end the process.
  const env = { ...inherited, TAP: '1', TAP_COLORS: '0', TAP_TIMEOUT: '0' }
  return coverage ? { ...env, NODE_V8_COVERAGE: coverage } : env
}

/** A file that ends before its tests have run must not pass. @param {string} output */
const unplanned = (output) => (/^1\.\.[1-9]/m.test(output) ? null : 'ended without a plan')

/** A process, the leader of a group, that runs one test file after the other. */
export class TestProcess {
  #child
  #exited
  #printed = ''
  #late = false
  #take = (/** @type {Answer} */ _answer) => {}

  /** @param {string} coverage directory for V8's coverage, or '' for none */
  constructor(coverage) {
    this.#child = spawn(process.execPath, ['--enable-source-maps', WORKER], {
      env: environment(coverage),
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      detached: true,
    })
    // Not `close`: after a disconnect, Node.js 20 may never emit it.
    this.#exited = once(this.#child, 'exit')
    // tap sends messages of its own.
    this.#child.on('message', (/** @type {any} */ answer) => {
      if ('output' in answer) this.#take(answer)
    })
    this.#child.stdout?.setEncoding('utf8').on('data', (text) => {
      this.#printed += text
    })
  }

  /**
   * Runs one file. After a fault, the process may have ended: use another one.
   * @param {{ url: string, fixtures: string, shared: boolean }} file
   * @returns {Promise<Result>} The output is TAP, then the text that the file has printed.
   */
  async run(file) {
    const started = performance.now()
    const answer = this.#answer()
    this.#child.send({ ...file, timeout: TIMEOUT })
    const { output, fault } = await this.#within(Promise.race([answer, this.#end()]))
    const printed = this.#printed.replace(/^(?=.)/gm, '# ')
    this.#printed = ''
    return { output: output + printed, fault: fault ?? unplanned(output), ms: performance.now() - started }
  }

  /** Ends it. A test that leaves something open keeps it from ending. @returns {Promise<string | null>} a fault */
  async stop() {
    if (this.#child.connected) this.#child.disconnect()
    const { fault } = await this.#within(this.#end())
    return fault === 'ended with 0' ? null : fault
  }

  /** @returns {Promise<Answer>} */
  #answer() {
    return new Promise((resolve) => {
      this.#take = resolve
    })
  }

  /** @returns {Promise<Answer>} */
  async #end() {
    const [status, signal] = await this.#exited
    return { output: '', fault: this.#late ? 'timeout' : `ended with ${signal ?? status}` }
  }

  /** Kills the group after the timeout. @template T @param {Promise<T>} work */
  async #within(work) {
    const timer = setTimeout(() => {
      this.#late = true
      this.#kill()
    }, TIMEOUT)
    return work.finally(() => clearTimeout(timer))
  }

  /** The group may have ended already. */
  #kill() {
    try {
      process.kill(-(this.#child.pid ?? 0), 'SIGKILL')
    } catch {}
  }
}
