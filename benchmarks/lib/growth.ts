import { bare, type Contender } from './contender.js'
import type { Table } from './report.js'
import { whole } from './report.js'
import type { Figures } from './round.js'
import { CELL_NAMES, cellsOf, measureRounds, type Result, type Round, resultOf } from './rounds.js'

/** A row of a table on growth: a contender under a condition, and the bare route under the same condition. */
export interface Case {
  readonly label: string
  readonly contender: Contender
  readonly reference: Contender
}

/** The same contender under another name, for a table. */
export function named(contender: Contender, label: string, more: Partial<Contender> = {}): Contender {
  return { ...contender, ...more, name: `${contender.name}, ${label}` }
}

export function casesFor(
  contenders: readonly Contender[],
  label: string,
  more: Partial<Contender> = {},
): Case[] {
  const reference = named(bare, label, more)
  return contenders.map((contender) => ({ label, reference, contender: named(contender, label, more) }))
}

/** Measures the cases in rounds. Each round measures a reference once, before the cases that refer to it. */
export async function measureCases(
  cases: readonly Case[],
  rounds: number,
  once: (contender: Contender) => Promise<Figures>,
  tell: (line: string) => void,
): Promise<Result[]> {
  const order = [...new Set(cases.flatMap(({ reference, contender }) => [reference, contender]))]
  const all: Round[] = await measureRounds(order, rounds, once, tell)
  throwFailures(all)
  return cases.map(({ contender, reference }) => {
    const result = resultOf(contender, reference, all)
    if (!result) throw new Error(`${contender.name} was not measured`)
    return result
  })
}

/** All cases are the suite or the bare route, so a failure is a fault. */
function throwFailures(rounds: readonly Round[]): void {
  for (const round of rounds)
    for (const figures of round.values()) if (figures instanceof Error) throw figures
}

export function resultTable(results: readonly Result[]): Table {
  const rows = results.map((result) => [
    result.contender.name,
    ...cellsOf(result),
    whole(result.figures.perSecond),
  ])
  return { columns: ['contender', ...CELL_NAMES, 'a second'], rows }
}

/** Rounds of a secondary part. */
export const fewer = (rounds: number) => Math.min(rounds, 2)
