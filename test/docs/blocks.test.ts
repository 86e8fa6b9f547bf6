import type { FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import { makeDataDir } from '../helpers/user-center.js'
import { type Block, blocksOf, englishPages, ROOT } from './blocks.js'
import { makeOutside, type Outside } from './outside.js'
import { atPort, type ModuleRunner, makePrograms, type Page, runShell, startCenter } from './runners.js'

/*
 * Runs every code block of the English pages: README.md, SECURITY.md and docs/*.md. Above each block stands
 * a comment that nobody sees who reads the page; a block without one fails.
 *
 *   <!-- block: NAME -->     for any block. test/docs/pages/<page>.ts says how NAME is run (`readme.ts`,
 *                            `keys.ts` for docs/keys.md), and what must come of it:
 *                            - `ts`: `{ before?, after?, check(t, app) }`. The block becomes a module of somebody who
 *                              has installed the package, is type-checked, imported and asked. `before` is what a
 *                              fragment leaves out (setups.ts has some); without it the block is a whole program.
 *                            - anything else: a function `(t, text)`, with the helpers of runners.ts;
 *                              `notRun(reason, check)` where it cannot run here.
 *   <!-- asserts -->         for a whole program in `ts` that asserts by itself what it shows (`node:assert`).
 *   <!-- prints: A | B -->   for `sh`. Needs nothing more: all of a page are run in their order, in one shell, beside
 *                            a user center of its own; what each prints must hold A, then B.
 *   <!-- printed -->         for what the block before prints. Each line of it must be a line of that, where `…` stands
 *                            for anything.
 */

interface Run {
  readonly block: Block
  readonly runner: Page[string]
}

const where = ({ page, line, value }: Block) => `${page}:${line} ${value}`
const moduleName = ({ page, line, value }: Block) => `${page.replaceAll(/\W/g, '-')}-${value || line}`
const stemOf = (page: string) =>
  page
    .replace(/^docs\//, '')
    .replace(/\.md$/, '')
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
