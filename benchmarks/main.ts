import { writeDocument } from './lib/document.js'
import { describeMachine } from './lib/machine.js'
import type { Part } from './lib/part.js'
import { goalSection, type Section, textSection } from './lib/report.js'
import { settingFor } from './lib/setting.js'
import { compare, compared } from './parts/compare.js'
import { endToEnd } from './parts/end-to-end.js'
import { lag } from './parts/lag.js'
import { loginPart } from './parts/login.js'
import { memory } from './parts/memory.js'
import { cookies, modes } from './parts/modes.js'
import { revocations } from './parts/revocations.js'
import { roundTrips } from './parts/round-trips.js'
import { signIns } from './parts/sign-ins.js'
import { timing } from './parts/timing.js'
import { writes } from './parts/writes.js'

/*
 * Runs the benchmarks: all of them, or those that are named. A run of all of them writes docs/performance.md and
 * docs/performance.svg; a quick one writes them beside the compiled benchmarks.
 */

const GROWTH: readonly Part[] = [signIns, revocations, modes, cookies, writes, memory]
const PARTS: readonly Part[] = [compare, endToEnd, ...GROWTH, loginPart, timing, roundTrips, lag]

function partsNamed(names: readonly string[]): readonly Part[] {
  if (names.length === 0) return PARTS
  return names.flatMap((name) => {
    if (name === 'growth') return GROWTH
    const part = PARTS.find((one) => one.name === name)
    if (part) return [part]
    throw new Error(`There is no ${name}: ${['growth', ...PARTS.map((one) => one.name)].join(', ')}.`)
  })
}

async function main(args: readonly string[]): Promise<void> {
  const setting = settingFor(args.includes('--quick'))
  const names = args.filter((arg) => arg !== '--quick')
  const sections: Section[] = []
  const tell = (line: string) => console.error(line)
  for (const line of describeMachine()) console.log(line)
  for (const part of partsNamed(names)) {
    tell(`${part.name} …`)
    const measured = await part.run(setting, tell)
    for (const section of measured) console.log(textSection(section))
    sections.push(...measured)
  }
  console.log(textSection(goalSection(sections)))
  if (names.length === 0)
    writeDocument(setting.quick ? 'dist/benchmarks' : 'docs', sections, compared, setting)
}

// What a part that failed has left running ends with this process.
await main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  },
)
