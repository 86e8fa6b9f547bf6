// In a process of its own: it changes the directory.

import { type Test, test } from 'tap'
import { makeDataDir } from '../helpers/user-center.js'
import { type Block, blocksOf, englishPages, recipes } from './blocks.js'
import { runBlocks, where } from './run-blocks.js'
import { atPort, makePrograms, runShell, startCenter } from './runners.js'

/*
 * Runs every code block of the English pages (`englishPages`; those of the recipes in recipes.test.ts). Above each block is an HTML comment, which the rendered
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

/** The recipes have a file of their own: they need a browser and other servers. */
const pages = englishPages().filter((page) => !recipes().includes(page))

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

test('every block runs, and does what its page says', (t) => runBlocks(t, pages))

for (const page of englishPages()) {
  const blocks = blocksOf(page)
  if (blocks.some(({ marker }) => marker === 'prints')) {
    test(`${page}: what its scripts print`, (t) => runPrinting(t, page, blocks))
  }
}
