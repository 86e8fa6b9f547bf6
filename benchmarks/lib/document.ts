import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeMachine } from './machine.js'
import { writePlot } from './plot.js'
import { goalSection, markdownSection, type Section } from './report.js'
import type { Result } from './rounds.js'
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

/** Writes what a run gave as a page and a plot. */
export function writeDocument(
  directory: string,
  sections: readonly Section[],
  results: readonly Result[],
  setting: Setting,
): void {
  const [first = '', ...rest] = describeMachine()
  const parts = [
    '# Performance',
    'Made by `npm run bench`, which anybody can run; nothing here is written by hand.',
    [first, ...rest].map((line) => `- ${line}`).join('\n'),
    `- ${setting.rounds} rounds of ${setting.seconds} s after ${setting.warmUpSeconds} s of warming up, ${setting.users} users`,
  ]
  const picture = '![Throughput as a share of the bare route](performance.svg)'
  const body = [goalSection(sections), ...sections].map(markdownSection)
  const quick = setting.quick ? ['**From a quick run: these figures mean nothing.**'] : []
  mkdirSync(directory, { recursive: true })
  const page = `${[...parts.slice(0, 2), ...quick, parts.slice(2).join('\n'), HOW_TO_READ, picture, ...body].join('\n\n')}\n`
  writeFileSync(join(directory, 'performance.md'), page)
  writePlot(join(directory, 'performance.svg'), results, first)
}
