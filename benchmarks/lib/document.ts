import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeMachine } from './machine.js'
import { writePlot } from './plot.js'
import { goalSection, markdownSection } from './report.js'
import type { Saved } from './results.js'
import type { Setting } from './setting.js'

const HOW_TO_READ = `
## How to read it

Absolute figures depend mostly on the machine. **Ratios** can be compared between machines. Each contender is its own
process on loopback, pinned to one core. The load generator, Redis and everything else run on another core. A round
measures all contenders in turn, each in a fresh process. It compares each with the bare route of the *same* round. The
tables show the median over rounds, with its quartiles. "The same again" measures the bare route a second time: its
distance from 1 shows the noise of all other figures.

The ratios are a worst case, since the route does nothing except name the caller. A handler that works for a millisecond
hides the difference.
`.trim()

/** Each section names its measured versions below the title. */
function described({ run, sections }: Saved): string[] {
  return sections.map((section) =>
    markdownSection({ ...section, text: `*Measured on ${run}.* ${section.text}` }),
  )
}

/** Writes the results of the parts as a page and a plot. */
export function writeDocument(directory: string, results: readonly Saved[], setting: Setting): void {
  const [first = '', ...rest] = describeMachine()
  const machine = [
    ...[first, ...rest].map((line) => `- ${line}`),
    `- ${setting.rounds} rounds of ${setting.seconds} s after ${setting.warmUpSeconds} s of warming up, or more, ${setting.users} users`,
  ]
  const page = [
    '# Performance',
    '`npm run bench` makes this page and measures all its figures. Anybody can run it.',
    machine.join('\n'),
    HOW_TO_READ,
    '![Throughput as a share of the bare route](performance.svg)',
    markdownSection(goalSection(results.flatMap(({ sections }) => sections))),
    ...results.flatMap(described),
  ]
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'performance.md'), `${page.join('\n\n')}\n`)
  writePlot(
    join(directory, 'performance.svg'),
    results.flatMap(({ bars }) => bars),
    first,
  )
}
