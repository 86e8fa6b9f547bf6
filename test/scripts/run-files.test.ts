import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'

type Run = { readonly built: string; readonly coverage: string; readonly jobs: number }
type RunFiles = (files: readonly string[], run: Run) => NodeJS.ReadableStream
type Tally = (input: NodeJS.ReadableStream, print: (text: string) => void) => Promise<Count>
type Count = { passed: number; failed: number; failures: readonly { name: string }[] }

// By their address, because they are JavaScript: the test command must run before anything is compiled.
const runner: { runFiles: RunFiles } = await import(pathToFileURL('scripts/run-files.mjs').href)
const reader: { tally: Tally } = await import(pathToFileURL('scripts/tally.mjs').href)

const GOOD = `console.log('TAP version 14\\n# Subtest: a\\n    ok 1 - x\\n    1..1\\nok 1 - a\\n1..1')`

/** What the test command makes of files with such text: all that it prints, and the counts. */
async function run(t: Test, sources: Record<string, string>) {
  const built = t.testdir(
    Object.fromEntries(Object.entries(sources).map(([name, source]) => [`${name}.test.js`, source])),
  )
  const files = Object.keys(sources).map((name) => `${name}.test.ts`)
  const printed: string[] = []
  const count = await reader.tally(runner.runFiles(files, { built, coverage: '', jobs: 2 }), (text) =>
    printed.push(text),
  )
  const failures = count.failures.map(({ name }) => name).sort()
  return { printed: printed.join('\n'), failures, counts: `${count.passed} passed, ${count.failed} failed` }
}

t.test('each file runs in a process of its own, and is counted', async (t) => {
  const { counts, printed } = await run(t, { one: GOOD, two: GOOD, three: GOOD })
  t.equal(counts, '3 passed, 0 failed')
  for (const name of ['one', 'two', 'three']) t.match(printed, new RegExp(`^ok +${name}\\.test\\.ts`, 'm'))
})

t.test('a file that ends badly has failed, whatever it has printed', async (t) => {
  const { counts, failures } = await run(t, {
    status: `${GOOD}; process.exitCode = 3`,
    signal: `${GOOD}; process.kill(process.pid, 'SIGKILL')`,
    silent: 'process.exitCode = 1',
    good: GOOD,
  })
  t.match(counts, / 3 failed$/)
  t.same(failures, ['signal.test.ts', 'silent.test.ts', 'status.test.ts'])
})

t.test('a file that prints nothing has tested nothing', async (t) => {
  const { counts } = await run(t, { empty: '' })
  t.equal(counts, '0 passed, 1 failed')
})
