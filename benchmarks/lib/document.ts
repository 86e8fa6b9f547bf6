import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeMachine } from './machine.js'
import { writePlot } from './plot.js'
import { goalSection, markdownSection } from './report.js'
import type { Saved } from './results.js'
import type { Setting } from './setting.js'

const HOW_TO_READ = `
## How to read it

Absolute figures say more about the machine than about the software; **ratios** travel. Each contender is a process of its
own on loopback, pinned to one core; the load generator, Redis and everything else run on another one. A round measures
all of them, one after the other, each in a fresh process, and is put beside the bare route of the *same* round; what is
printed is the median over rounds, with its quartiles. "The same again" is the bare route a second time: how far it is
from 1 is how much of any other figure is chance.

The ratios are a worst case: a route that does nothing but say who asks. A handler that works for a millisecond hides all
of it.
`.trim()

/** What it was measured of stands below the title of each section. */
function described({ run, sections }: Saved): string[] {
  return sections.map((section) =>
    markdownSection({ ...section, text: `*Measured on ${run}.* ${section.text}` }),
  )
}

/** Writes what the parts gave as a page and a plot. */
export function writeDocument(directory: string, results: readonly Saved[], setting: Setting): void {
  const [first = '', ...rest] = describeMachine()
  const machine = [
    ...[first, ...rest].map((line) => `- ${line}`),
    `- ${setting.rounds} rounds of ${setting.seconds} s after ${setting.warmUpSeconds} s of warming up, or more, ${setting.users} users`,
  ]
  const page = [
    '# Performance',
    'Made by `npm run bench`, which anybody can run; nothing here is written by hand.',
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
