import { inspect } from 'node:util'
import { Parser } from 'tap-parser'

/**
 * @typedef {import('tap-parser').Result} Result
 * @typedef {{ name: string, diag: unknown }} Failure
 * @typedef {{ passed: number, failed: number, tests: number, points: number, failures: Failure[] }} Count
 */

/** A skipped or unfinished test does not count as passed. @param {Result} result */
const isGood = (result) => result.ok && !result.skip && !result.todo

/** @returns {Count} */
const emptyCount = () => ({ passed: 0, failed: 0, tests: 0, points: 0, failures: [] })

/**
 * Counts the tests of one parser. A test is a subtest without subtests. If a file fails outside its tests (a crash, a
 * timeout, a wrong plan), that is one more failure.
 * @param {Parser} parser
 * @param {string} path names of the enclosing tests
 * @param {(result: Result, inner: Count) => void} [onTest] called at the end of each direct subtest
 */
function count(parser, path, onTest = () => {}) {
  const own = emptyCount()
  /** @type {{ parser: Parser, count: Count } | null} */
  let open = null
  const join = (/** @type {string} */ name) => (path ? `${path} > ${name}` : name)

  parser.on('child', (/** @type {Parser} */ child) => {
    open = { parser: child, count: count(child, join(child.name)) }
  })
  parser.on('assert', (/** @type {Result} */ result) => {
    const subtest = open?.parser.name === result.name ? open.count : null
    open = null
    if (subtest) {
      closeTest(subtest, result, join(result.name))
      own.tests++
      own.passed += subtest.passed
      own.failed += subtest.failed
      own.failures.push(...subtest.failures)
      onTest(result, subtest)
    } else if (!isGood(result)) {
      own.points++
      own.failures.push({ name: join(result.name), diag: diagnosis(result) })
    }
  })
  return own
}

/** @param {Count} test @param {Result} result @param {string} name */
function closeTest(test, result, name) {
  const good = isGood(result)
  if (test.tests === 0 && good && test.points === 0) test.passed = 1
  else if (test.points > 0 || (!good && test.failed === 0)) test.failed += 1
  if (!good && test.failures.length === 0) test.failures.push({ name, diag: diagnosis(result) })
}

/** @param {Result} result */
function diagnosis(result) {
  if (result.skip || result.todo)
    return { [result.skip ? 'skipped' : 'unfinished']: result.skip || result.todo }
  const { stdio, cwd, externalID, command, args, jobId, ...rest } = result.diag ?? {}
  return rest
}

/** @param {Failure} failure */
function describeFailure({ name, diag }) {
  const lines = [`  ✗ ${name}`]
  for (const [key, value] of Object.entries(diag ?? {})) {
    const text = typeof value === 'string' ? value.trimEnd() : inspect(value, { depth: 9, breakLength: 100 })
    lines.push(text.includes('\n') ? `${key}:\n${text.replace(/^/gm, '  ')}` : `${key}: ${text}`)
  }
  return lines.join('\n').replace(/\n/g, '\n      ')
}

/** A failure in one line, with what was expected (-) and found (+). @param {Failure} failure */
function summarizeFailure({ name, diag }) {
  const { diff } = /** @type {{ diff?: unknown }} */ (diag ?? {})
  if (typeof diff !== 'string') return name
  const changed = diff.split('\n').filter((line) => /^[-+](?!--|\+\+)/.test(line))
  return `${name}: ${changed.join(' ').slice(0, 200)}`
}

/** @param {Result} file @param {Count} tests @param {string} output */
function describeFile(file, tests, output) {
  const took = `${((file.time ?? 0) / 1000).toFixed(1)} s`
  if (tests.failed === 0) return `ok    ${file.name}  ${tests.passed} passed  ${took}`
  const head = `FAIL  ${file.name}  ${tests.passed} passed, ${tests.failed} failed  ${took}`
  return [head, ...tests.failures.map(describeFailure), output.trimEnd()].filter(Boolean).join('\n')
}

/**
 * Reads the output of `tap run --reporter=tap`. Prints a line for each test file, and the details of its failures.
 * @param {NodeJS.ReadableStream} input
 * @param {(text: string) => void} print
 * @returns {Promise<{ passed: number, failed: number, failures: string[] }>} a line for each failure
 */
export function tally(input, print) {
  const parser = new Parser()
  let output = ''
  let planned = 0
  let reported = 0
  let abandoned = 0

  const total = count(parser, '', (file, tests) => {
    print(describeFile(file, tests, output))
    output = ''
  })
  parser.on('plan', (plan) => {
    planned = plan.end
  })
  parser.on('assert', () => reported++)
  parser.on('extra', (/** @type {string} */ text) => {
    output += text
  })
  parser.on('bailout', (reason) => {
    abandoned = 1
    total.failures.push({ name: 'Bail out!', diag: { reason } })
  })
  return new Promise((resolve) => {
    parser.on('complete', () => {
      print(output.trimEnd())
      const lost = Math.max(0, planned - reported)
      if (lost > 0) total.failures.push({ name: `${lost} test files of ${planned} were not run`, diag: {} })
      const failures = total.failures.map(summarizeFailure)
      resolve({ ...total, failures, failed: total.failed + total.points + lost + abandoned })
    })
    input.pipe(parser)
  })
}
