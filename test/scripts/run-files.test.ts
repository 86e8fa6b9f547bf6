import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'

type Run = {
  readonly built: string
  readonly coverage: string
  readonly jobs: number
  readonly times?: Record<string, number>
}
type RunFiles = (files: readonly string[], run: Run) => NodeJS.ReadableStream
type Tally = (input: NodeJS.ReadableStream, print: (text: string) => void) => Promise<Count>
type Count = { passed: number; failed: number; failures: readonly string[] }

// By their address, because they are JavaScript: the test command must run before anything is compiled.
const runner: { runFiles: RunFiles } = await import(pathToFileURL('scripts/run-files.mjs').href)
const reader: { tally: Tally } = await import(pathToFileURL('scripts/tally.mjs').href)

const FILE_TAP = pathToFileURL('scripts/file-tap.mjs').href
const TAP = `import { test } from '${FILE_TAP}'`
const GOOD = `${TAP}; test('a', async (t) => void t.pass())`

/** What the test command makes of files with such text: all that it prints, and the counts. */
async function run(t: Test, sources: Record<string, string>) {
  const plugins = Object.entries(sources).map(([name, source]) => [`${name}.test.js`, source])
  const built = t.testdir({ test: { plugins: Object.fromEntries(plugins) } })
  const files = Object.keys(sources).map((name) => `test/plugins/${name}.test.ts`)
  const printed: string[] = []
  const count = await reader.tally(runner.runFiles(files, { built, coverage: '', jobs: 2 }), (text) =>
    printed.push(text),
  )
  const failures = count.failures.toSorted()
  return { printed: printed.join('\n'), failures, counts: `${count.passed} passed, ${count.failed} failed` }
}

t.test('files run in turn in one process, and each is counted', async (t) => {
  const { counts, printed } = await run(t, { one: GOOD, two: GOOD, three: GOOD })
  t.equal(counts, '3 passed, 0 failed')
  for (const name of ['one', 'two', 'three'])
    t.match(printed, new RegExp(`^ok +test/plugins/${name}\\.test\\.ts`, 'm'))
})

t.test('a file that ends badly has failed, whatever it has printed', async (t) => {
  const { counts, failures } = await run(t, {
    status: `${GOOD}; process.exit(0)`,
    signal: `${GOOD}; process.kill(process.pid, 'SIGKILL')`,
    silent: 'throw new Error("at import")',
    late: `${GOOD}; setTimeout(() => { throw new Error('outside of a test') }); await new Promise((done) => setTimeout(done, 50))`,
    good: GOOD,
  })
  t.match(counts, /^2 passed, 4 failed$/)
  for (const name of ['late', 'signal', 'silent', 'status'])
    t.ok(
      failures.some((failure) => failure.startsWith(`test/plugins/${name}.test.ts`)),
      name,
    )
})

t.test('a file that changes its process has failed, and leaves the change to no other', async (t) => {
  const changes = {
    directory: 'process.chdir("/")',
    environment: 'process.env.LEFT = "behind"',
    mask: 'process.umask(0o70)',
    status: 'process.exitCode = 3',
  }
  const sources = Object.entries(changes).map(([name, change]) => [name, `${GOOD}; ${change}`])
  const { counts } = await run(t, Object.fromEntries(sources))
  t.equal(counts, '4 passed, 4 failed')
})

t.test('a file that asks for a process of its own may change it', async (t) => {
  const alone = `// In a process of its own: it does as it likes.\n${GOOD}; process.env.LEFT = 'behind'`
  const after = `${GOOD}; if (process.env.LEFT) throw new Error('left behind')`
  const { counts } = await run(t, { alone, a: after, b: after, c: after })
  t.equal(counts, '4 passed, 0 failed')
})

t.test('the files of test/browser/ run in one process, which no other file uses', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'run-files-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const tell = (name: string) => `import { writeFileSync } from 'node:fs'; ${GOOD}
writeFileSync('${directory}/${name}', String(process.pid))`
  const browser = { 'a.test.js': tell('a'), 'b.test.js': tell('b'), 'c.test.js': tell('c') }
  const plugins = { 'd.test.js': tell('d'), 'e.test.js': tell('e') }
  const built = t.testdir({ test: { browser, plugins } })
  const files = ['browser/a', 'plugins/d', 'browser/b', 'plugins/e', 'browser/c']
  const names = files.map((file) => `test/${file}.test.ts`)
  await reader.tally(runner.runFiles(names, { built, coverage: '', jobs: 1 }), () => {})
  const [a, b, c, d, e] = [...'abcde'].map((name) => readFileSync(`${directory}/${name}`, 'utf8'))
  t.same([b, c], [a, a])
  t.not(d, a)
  t.equal(d, e)
})

t.test('the timer of a file ends with it', async (t) => {
  const first = `import t from '${FILE_TAP}'; ${GOOD}; globalThis.first = t.options; t.setTimeout(1_000_000)`
  const second = `${GOOD}; if ('timeout' in globalThis.first) throw new Error('a timer runs')`
  const built = t.testdir({ test: { plugins: { 'one.test.js': first, 'two.test.js': second } } })
  const files = ['test/plugins/one.test.ts', 'test/plugins/two.test.ts']
  const { passed, failed } = await reader.tally(
    runner.runFiles(files, { built, coverage: '', jobs: 1 }),
    () => {},
  )
  t.strictSame({ passed, failed }, { passed: 2, failed: 0 })
})

t.test('no async hook follows the promises of a test', async (t) => {
  // Node.js gives a promise an id only if a hook is active.
  const plain = `import { executionAsyncId } from 'node:async_hooks'; ${TAP}
test('a', (t) => t.test('b', async (t) => { await null; t.equal(executionAsyncId(), 0) }))`
  const { counts } = await run(t, { plain, next: plain })
  t.equal(counts, '2 passed, 0 failed')
})

t.test('a file that prints nothing has tested nothing', async (t) => {
  const { counts } = await run(t, { empty: '' })
  t.equal(counts, '0 passed, 1 failed')
})

t.test('the files that took longest in the last run come first', async (t) => {
  const built = t.testdir({ test: { 'short.test.js': GOOD, 'long.test.js': GOOD, 'new.test.js': GOOD } })
  const files = ['test/short.test.ts', 'test/long.test.ts', 'test/new.test.ts']
  const times: Record<string, number> = { 'test/short.test.ts': 1, 'test/long.test.ts': 1_000_000 }
  const printed: string[] = []
  await reader.tally(runner.runFiles(files, { built, coverage: '', jobs: 1, times }), (text) =>
    printed.push(text),
  )
  const order = printed.join('\n').match(/\w+(?=\.test\.ts)/g)
  t.strictSame(order, ['new', 'long', 'short'])
  t.notMatch(times, { 'test/long.test.ts': 1_000_000 }, 'this run was measured')
  t.strictSame(Object.keys(times).sort(), files.toSorted())
})
