import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import t from 'tap'

interface Tallied {
  readonly passed: number
  readonly failed: number
  readonly failures: readonly string[]
}
type Tally = (input: Readable, print: (text: string) => void) => Promise<Tallied>

// By its address, because it is JavaScript: the test command must run before anything is compiled.
const script: { tally: Tally } = await import(pathToFileURL('scripts/tally.mjs').href)

/** What the test command makes of such output: all that it prints, and the counts. */
async function tally(tap: string): Promise<{ printed: string; counts: string; failures: readonly string[] }> {
  const printed: string[] = []
  const input = Readable.from([`TAP version 14\n${tap}`])
  const { passed, failed, failures } = await script.tally(input, (text) => printed.push(text))
  return { printed: printed.join('\n'), counts: `${passed} passed, ${failed} failed`, failures }
}

const GOOD = `# Subtest: test/good.test.ts
    # Subtest: a
        ok 1 - x
        ok 2 - y
        1..2
    ok 1 - a
    # Subtest: b
        # Subtest: inner
            ok 1 - x
            1..1
        ok 1 - inner
        # Subtest: other
            1..0
        ok 2 - other
        1..2
    ok 2 - b
    1..2
ok 1 - test/good.test.ts # time=12ms
`

t.test('tests are counted, and neither assertions nor files', async (t) => {
  const { counts, printed } = await tally(`1..1\n${GOOD}`)
  t.equal(counts, '3 passed, 0 failed')
  t.match(printed, /^ok +test\/good\.test\.ts +3 passed/m)
})

t.test('a file without tests of its own is one test', async (t) => {
  const { counts } = await tally('1..1\n# Subtest: f\n    ok 1 - x\n    ok 2 - y\n    1..2\nok 1 - f\n')
  t.equal(counts, '1 passed, 0 failed')
})

t.test('an assertion that fails is printed with all that is known of it', async (t) => {
  const { counts, printed, failures } = await tally(`1..1
# Subtest: f
    # Subtest: a
        not ok 1 - should be equal
          ---
          diff: |
            -expected
            +actual
          ...
        1..1
    not ok 1 - a
    # Subtest: b
        ok 1 - x
        1..1
    ok 2 - b
    1..2
not ok 1 - f
`)
  t.equal(counts, '1 passed, 1 failed')
  t.match(printed, 'f > a > should be equal')
  t.match(printed, /-expected\n +\+actual/)
  t.strictSame(
    failures,
    ['f > a > should be equal: -expected +actual'],
    'and once more in one line, for the end',
  )
})

t.test('a file that crashes is a failure, and what it wrote is printed', async (t) => {
  const { counts, printed } = await tally(`1..2
${GOOD}# Subtest: g
    last words
    1..0 # no tests found
not ok 2 - g
  ---
  exitCode: 1
  ...
`)
  t.equal(counts, '3 passed, 1 failed')
  t.match(printed, /exitCode: 1/)
  t.match(printed, /last words/)
})

t.test('a crash after the last test is one more failure', async (t) => {
  const { counts } = await tally(
    '1..1\n# Subtest: f\n    # Subtest: a\n        ok 1 - x\n        1..1\n    ok 1 - a\n    not ok 2 - late crash\n    1..2\nnot ok 1 - f\n',
  )
  t.equal(counts, '1 passed, 1 failed')
})

t.test('a skipped or unfinished test is a failure', async (t) => {
  for (const directive of ['SKIP', 'TODO']) {
    const { counts } = await tally(
      `1..1\n# Subtest: f\n    ok 1 - a # ${directive} later\n    1..1\nok 1 - f\n`,
    )
    t.equal(counts, '0 passed, 1 failed', directive)
  }
})

t.test('a file that was never run is a failure', async (t) => {
  const { counts } = await tally(`1..3\n${GOOD}`)
  t.equal(counts, '3 passed, 2 failed')
})

t.test('a run that is given up is a failure', async (t) => {
  const { counts } = await tally(`1..1\n${GOOD}Bail out! no\n`)
  t.match(counts, /[1-9]\d* failed$/)
})

t.test('nothing at all is a failure', async (t) => {
  const { counts } = await tally('')
  t.match(counts, /^0 passed/)
})
