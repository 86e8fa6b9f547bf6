import type { Section } from './report.js'
import type { Setting } from './setting.js'

/** One part of the benchmarks. It can be run by its name. */
export interface Part {
  readonly name: string
  run(setting: Setting, tell: (line: string) => void): Promise<readonly Section[]>
}
