import { writeDocument } from './lib/document.js'
import { describeMachine, describeRun } from './lib/machine.js'
import type { Part } from './lib/part.js'
import { goalSection, type Section, textSection } from './lib/report.js'
import { savedResults, saveResult } from './lib/results.js'
import { type Setting, settingFor } from './lib/setting.js'
import { bound } from './parts/bound.js'
import { compare, compared } from './parts/compare.js'
import { endToEnd } from './parts/end-to-end.js'
import { fleet } from './parts/fleet.js'
import { inProcess } from './parts/in-process.js'
import { lag } from './parts/lag.js'
import { layers } from './parts/layers.js'
import { live } from './parts/live.js'
import { loginPart } from './parts/login.js'
import { memory } from './parts/memory.js'
import { cookies, modes } from './parts/modes.js'
import { revocations } from './parts/revocations.js'
import { roundTrips } from './parts/round-trips.js'
import { signIns } from './parts/sign-ins.js'
import { timing } from './parts/timing.js'
import { writes } from './parts/writes.js'

/*
 * Runs all benchmarks, or the named ones. Writes their results to docs/performance.md (and .svg), beside the last results
 * of the others. A quick run writes nothing.
 */

const GROWTH: readonly Part[] = [signIns, revocations, modes, cookies, writes, memory]
const PARTS: readonly Part[] = [
  compare,
  layers,
  inProcess,
  bound,
  endToEnd,
  ...GROWTH,
  loginPart,
  timing,
  roundTrips,
  lag,
  fleet,
  live,
]

function partsNamed(names: readonly string[]): readonly Part[] {
  if (names.length === 0) return PARTS
  return names.flatMap((name) => {
    if (name === 'growth') return GROWTH
    const part = PARTS.find((one) => one.name === name)
    if (part) return [part]
    throw new Error(`There is no ${name}: ${['growth', ...PARTS.map((one) => one.name)].join(', ')}.`)
  })
}

/** Measures one part, prints its results, and writes the page again with them. */
async function measurePart(part: Part, setting: Setting): Promise<readonly Section[]> {
  const tell = (line: string) => console.error(line)
  tell(`${part.name} …`)
  const run = describeRun()
  const sections = await part.run(setting, tell)
  for (const section of sections) console.log(textSection(section))
  const bars = part === compare ? compared.map(({ contender: { name }, ratio }) => ({ name, ratio })) : []
  if (!setting.quick) {
    saveResult(part.name, { run, sections, bars })
    writeDocument('docs', savedResults(PARTS.map(({ name }) => name)), setting)
  }
  return sections
}

async function main(args: readonly string[]): Promise<void> {
  const setting = settingFor(args.includes('--quick'))
  const names = args.filter((arg) => arg !== '--quick')
  const sections: Section[] = []
  for (const line of describeMachine()) console.log(line)
  for (const part of partsNamed(names)) sections.push(...(await measurePart(part, setting)))
  console.log(textSection(goalSection(sections)))
}

// Processes that a failed part has left running end with this one.
await main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  },
)
