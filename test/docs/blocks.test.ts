// In a process of its own: it changes the directory.

import type { FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import { makeDataDir } from '../helpers/user-center.js'
import { type Block, blocksOf, englishPages, ROOT } from './blocks.js'
import { makeOutside, type Outside } from './outside.js'
import { atPort, type ModuleRunner, makePrograms, type Page, runShell, startCenter } from './runners.js'

/*
 * Runs every code block of the English pages (`englishPages`). Above each block is an HTML comment, which the rendered
 * page hides. A block without one fails.
 *
 *   <!-- block: NAME -->     For any block. test/docs/pages/<page>.ts says how NAME runs and what is checked (`readme.ts`,
 *                            `keys.ts` for docs/keys.md, `plugins-readme.ts` for plugins/README.md):
 *                            - `ts`: `{ before?, after?, check(t, app) }`. The block becomes a module in a project that
 *                              has installed the package. It is type-checked and imported. `before` is the code that
 *                              a fragment leaves out (setups.ts has some); without it the block is a whole program.
 *                            - any other language: a function `(t, text)`, with the helpers of runners.ts;
 *                              `notRun(reason, check)` if it cannot run here.
 *   <!-- asserts -->         For a whole program in `ts` that asserts its own results (`node:assert`).
 *   <!-- prints: A | B -->   For `sh`. All of a page run in their order, in one shell, beside a user center of their own.
 *                            The output of each must contain A, then B. It needs no entry in test/docs/pages.
 *   <!-- printed -->         For the output of the block before. Each line must be a line of that output; `…` stands for
 *                            anything.
 */

interface Run {
  readonly block: Block
  readonly runner: Page[string]
}

const where = ({ page, line, value }: Block) => `${page}:${line} ${value}`
const moduleName = ({ page, line, value }: Block) => `${page.replaceAll(/\W/g, '-')}-${value || line}`
/** `docs/keys.md` is `keys`, `plugins/README.md` is `plugins-readme`. */
const stemOf = (page: string) =>
  page
    .replace(/^docs\/(?!README)/, '')
    .replace(/\.md$/, '')
    .replaceAll('/', '-')
    .toLowerCase()

async function importPage(page: string): Promise<Page> {
  const { default: runners }: { default: Page } = await import(`./pages/${stemOf(page)}.js`)
  return runners
}

/** Of a program that asserts by itself: it has to. */
const ASSERTS: ModuleRunner = {
  check: async (t, _app, { text }) => t.match(text, /\bassert\.\w+\(/, 'it asserts something'),
}

/** Pairs the named blocks of a page with what runs them, and fails for what is left over on either side. */
async function pairUp(t: Test, page: string): Promise<Run[]> {
  const asserting = blocksOf(page).filter(({ marker }) => marker === 'asserts')
  const alone = asserting.map((block) => ({ block, runner: ASSERTS }))
  const named = blocksOf(page).filter(({ marker }) => marker === 'block')
  if (named.length === 0) return alone
  const runners = await importPage(page)
  t.strictSame(named.map(({ value }) => value).sort(), Object.keys(runners).sort(), `${page}: its blocks`)
  const run = named.flatMap((block) => {
    const runner = runners[block.value]
    return runner ? [{ block, runner }] : []
  })
  return [...alone, ...run]
}

const isModule = (runner: Page[string]): runner is ModuleRunner => typeof runner === 'object'

/** The block as a module that exports its application, which listens where there is room. */
function sourceOf({ text }: Block, { before = '', after = '' }: ModuleRunner): string {
  const exported = /^export .*\bapp\b/m.test(before + after) ? '' : '\nexport { app }\n'
  return `${before}\n${text.replace('port: 3000', 'port: 0')}\n${after}${exported}`
}

async function runModule(t: Test, outside: Outside, { block, runner }: Run): Promise<void> {
  if (!isModule(runner)) return
  const exports = await outside.load(moduleName(block))
  const app = exports.app as FastifyInstance
  t.teardown(() => app.close())
  await app.ready()
  await runner.check(t, app, { ...exports, text: block.text })
}

/** `A | B`: both, in this order. */
function holds(t: Test, printed: string, expected: string): void {
  let from = 0
  for (const text of expected.split('|').map((part) => part.trim())) {
    const at = printed.indexOf(text, from)
    t.ok(at >= 0, `prints ${text}`, { printed })
    from = at + text.length
  }
}

function holdsLines(t: Test, printed: string, text: string): void {
  for (const line of text.trimEnd().split('\n')) {
    const parts = line.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    t.match(printed, new RegExp(`^\\s*${parts.join('.*')}\\s*$`, 'm'), line)
  }
}

const NEXT = '=== the next block ==='

async function runPrinting(t: Test, page: string, blocks: readonly Block[]): Promise<void> {
  const scripts = blocks.filter(({ marker }) => marker === 'prints')
  const { port, env } = await startCenter(t)
  const script = scripts.map(({ text }) => atPort(text, port)).join(`\necho '${NEXT}'\n`)
  const shell = { cwd: makeDataDir(t), env: { ...env, PROGRAMS: makePrograms(t) }, lenient: true }
  const { stdout } = await runShell(script, shell)
  const outputs = stdout.split(NEXT)
  let last = ''
  for (const block of blocks) {
    if (block.marker === 'prints') {
      last = outputs.shift() ?? ''
      holds(t, last, block.value)
    } else if (block.marker === 'printed') holdsLines(t, last, block.text)
  }
  t.pass(`${page}: ${scripts.length} scripts`)
}

test('every block of the English pages says how it is run', async (t) => {
  const unsaid = englishPages()
    .flatMap(blocksOf)
    .filter(({ marker }) => marker === '')
  t.strictSame(unsaid.map(where), [])
  const notShell = englishPages()
    .flatMap(blocksOf)
    .filter((b) => b.marker === 'prints' && b.language !== 'sh')
  t.strictSame(notShell.map(where), [], 'what prints is a script')
})

test('every block runs, and does what its page says', async (t) => {
  const runs = (await Promise.all(englishPages().map((page) => pairUp(t, page)))).flat()
  const outside = makeOutside(t)
  t.teardown(() => process.chdir(ROOT))
  process.chdir(outside.directory)
  const modules = runs.filter(({ runner }) => isModule(runner))
  for (const { block, runner } of modules)
    if (isModule(runner)) outside.add(moduleName(block), sourceOf(block, runner))
  const faults = outside.compile()
  t.strictSame(faults.get('options'), [])
  for (const { block, runner } of runs) {
    await t.test(where(block), async (t) => {
      t.equal(block.language === 'ts', isModule(runner), 'a module is marked as one')
      if (!isModule(runner)) return runner(t, block.text)
      t.strictSame(faults.get(moduleName(block)), [], 'its types')
      await runModule(t, outside, { block, runner })
    })
  }
})

for (const page of englishPages()) {
  const blocks = blocksOf(page)
  if (blocks.some(({ marker }) => marker === 'prints')) {
    test(`${page}: what its scripts print`, (t) => runPrinting(t, page, blocks))
  }
}
