import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Section } from './report.js'

/*
 * The last results of each part. The page can be written again after one part was measured, and an interrupted run keeps
 * its results.
 */

const DIRECTORY = 'benchmarks/results'

const SavedSchema = Type.Object({
  run: Type.String(),
  sections: Type.Array(
    Type.Object({
      title: Type.String(),
      text: Type.String(),
      tables: Type.Array(
        Type.Object({ columns: Type.Array(Type.String()), rows: Type.Array(Type.Array(Type.String())) }),
      ),
      goals: Type.Optional(
        Type.Array(
          Type.Object({
            what: Type.String(),
            wanted: Type.String(),
            measured: Type.String(),
            met: Type.Boolean(),
          }),
        ),
      ),
    }),
  ),
  bars: Type.Array(
    Type.Object({ name: Type.String(), ratio: Type.Tuple([Type.Number(), Type.Number(), Type.Number()]) }),
  ),
})

export interface Bar {
  readonly name: string
  readonly ratio: readonly [low: number, middle: number, high: number]
}

export interface Saved {
  /** Date and versions of the measurement, as text. */
  readonly run: string
  readonly sections: readonly Section[]
  /** For the plot. */
  readonly bars: readonly Bar[]
}

const fileOf = (part: string) => `${DIRECTORY}/${part}.json`

export function saveResult(part: string, result: Saved): void {
  mkdirSync(DIRECTORY, { recursive: true })
  writeFileSync(fileOf(part), JSON.stringify(result))
}

/** The existing results of these parts, in their order. */
export function savedResults(parts: readonly string[]): Saved[] {
  return parts
    .map(fileOf)
    .filter((file) => existsSync(file))
    .map((file) => Value.Parse(SavedSchema, JSON.parse(readFileSync(file, 'utf8'))))
}
