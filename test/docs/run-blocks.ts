import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { type Block, blocksOf, ROOT } from './blocks.js'
import { makeOutside, type Outside } from './outside.js'
import type { ModuleRunner, Page } from './runners.js'

interface Run {
  readonly block: Block
  readonly runner: Page[string]
}

/** Where a block stands. */
export const where = ({ page, line, value }: Block) => `${page}:${line} ${value}`
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
  return `${before}\n${text.replaceAll(/port: 300\d/g, 'port: 0')}\n${after}${exported}`
}

async function runModule(t: Test, outside: Outside, { block, runner }: Run): Promise<void> {
  if (!isModule(runner)) return
  const exports = await outside.load(moduleName(block))
  const app = exports.app as FastifyInstance
  t.teardown(async () => {
    await app.close()
    // Many programs keep their state there, and the next one must not find the counts of this one.
    rmSync(join(outside.directory, 'data'), { recursive: true, force: true })
  })
  await app.ready()
  await runner.check(t, app, { ...exports, text: block.text })
}

/** Runs the blocks of these pages. Changes the directory: the file that calls it needs a process of its own. */
export async function runBlocks(t: Test, pages: readonly string[]): Promise<void> {
  const runs = (await Promise.all(pages.map((page) => pairUp(t, page)))).flat()
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
}
