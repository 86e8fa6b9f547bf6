import { bare, type Contender } from './contender.js'
import type { Table } from './report.js'
import { whole } from './report.js'
import type { Figures } from './round.js'
import { CELL_NAMES, cellsOf, measureRounds, type Result, type Round, resultOf } from './rounds.js'

/** One line of a table on growth: something measured under a condition, beside the bare route under the same. */
export interface Case {
  readonly label: string
  readonly contender: Contender
  readonly reference: Contender
}

/** The same contender under another name, to be told apart in a table. */
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

/** Measures the cases in rounds, each reference once in a round, before those that refer to it. */
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

/** These are ours, and the bare route: one that fails is a fault. */
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

/** Rounds of a part that is not the main one. */
export const fewer = (rounds: number) => Math.min(rounds, 2)
