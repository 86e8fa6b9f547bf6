import type { Section } from './report.js'
import type { Setting } from './setting.js'

/** What one part of the benchmarks measures; it can be run by its name. */
export interface Part {
  readonly name: string
  run(setting: Setting, tell: (line: string) => void): Promise<readonly Section[]>
}
