// `tap` as test files see it: the test object of the file that runs now. One process runs several files in turn.
import { once } from 'node:events'
import tap, { Test } from 'tap'

/** @type {Test | null} */
let current = null

function ofFile() {
  if (!current) throw new Error('No test file runs.')
  return current
}

/** @param {string | symbol} name */
function memberOf(name) {
  const value = Reflect.get(ofFile(), name)
  // A method of a test needs the test as `this`, not the proxy.
  return typeof value === 'function' ? value.bind(ofFile()) : value
}

export default new Proxy(
  {},
  { get: (_, name) => memberOf(name), set: (_, name, value) => Reflect.set(ofFile(), name, value) },
)

export const test = (/** @type {unknown[]} */ ...args) => memberOf('test')(...args)

/** What belongs to the process. A file that changes it must put it back for the files after it. */
const processState = () => JSON.stringify([process.cwd(), process.umask(), process.exitCode, process.env])

/**
 * Stops tap from following each promise and timer with an async hook. tap uses the hook only if no other code handles
 * uncaught errors, and the handler below does. The hook costs CPU time for every promise.
 * @param {any} test it and its future subtests
 */
function dropDomain(test) {
  test.hookDomain.destroy()
  test.on('subtestAdd', dropDomain)
}

// The root test of tap itself. It runs no test here.
dropDomain(tap)

/** An error that no test has caught is a failure of the file. */
process.on('uncaughtException', (error) => {
  if (!current) throw error
  current.threw(error)
})

/**
 * Runs one test file in this process.
 * @param {{ url: string, fixtures: string, timeout: number, shared: boolean }} file the compiled module, a
 *   directory that only it uses, ms, and whether other files follow in this process
 * @returns {Promise<{ output: string, fault: string | null }>} its TAP
 */
export async function runHere({ url, fixtures, timeout, shared }) {
  /** @type {any} */
  const root = new Test({ name: url, timeout })
  dropDomain(root)
  const before = processState()
  root.testdirName = fixtures
  let output = ''
  root.on('data', (/** @type {string} */ text) => {
    output += text
  })
  const ended = once(root, 'end')
  root.runMain(() => {})
  current = root
  await import(url).catch((error) => root.threw(error))
  root.end()
  await ended
  // Otherwise its timer would report a timeout while a later file runs.
  root.setTimeout(0)
  const fault =
    !shared || processState() === before ? null : 'changed its directory, umask, status or environment'
  return { output, fault }
}
