import type { Contender } from './contender.js'
import type { Figures } from './round.js'
import { median, quantile } from './statistics.js'

/** The result of all rounds of one contender. Each figure is a median over processes. */
export interface Result {
  readonly contender: Contender
  /** Throughput as a share of the bare route's in the same round: quartiles. */
  readonly ratio: readonly [low: number, middle: number, high: number]
  /** p99 as a multiple of the bare route's in the same round. */
  readonly p99Ratio: number
  readonly figures: Figures
}

/** One measurement of each, in their order, or its failure. */
export type Round = ReadonlyMap<Contender, Figures | Error>

/**
 * Measures A B C, A B C, …, so that other work of the machine affects all of them equally.
 * @param once measures one of them, in a fresh process
 */
export async function measureRounds(
  contenders: readonly Contender[],
  rounds: number,
  once: (contender: Contender) => Promise<Figures>,
  tell: (line: string) => void,
): Promise<Round[]> {
  const all: Round[] = []
  for (let round = 1; round <= rounds; round++) {
    const measured = new Map<Contender, Figures | Error>()
    for (const contender of contenders) {
      const figures = await once(contender).catch((error: unknown) => asError(error))
      measured.set(contender, figures)
      tell(`round ${round} of ${rounds}: ${contender.name}: ${describe(figures)}`)
    }
    all.push(measured)
  }
  return all
}

const asError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)))

function describe(figures: Figures | Error): string {
  if (figures instanceof Error) return figures.message
  return `${Math.round(figures.perSecond)} a second, p99 ${figures.p99.toFixed(1)} ms`
}

/** @returns null if a round of it, or of the reference, failed */
export function resultOf(
  contender: Contender,
  reference: Contender,
  rounds: readonly Round[],
): Result | null {
  const own: Figures[] = []
  const ratios: number[] = []
  const p99s: number[] = []
  for (const round of rounds) {
    const [figures, base] = [round.get(contender), round.get(reference)]
    if (!figures || !base || figures instanceof Error || base instanceof Error) return null
    own.push(figures)
    ratios.push(figures.perSecond / base.perSecond)
    p99s.push(figures.p99 / base.p99)
  }
  const ratio = [quantile(ratios, 0.25), median(ratios), quantile(ratios, 0.75)] as const
  return { contender, ratio, p99Ratio: median(p99s), figures: middleOf(own) }
}

function middleOf(all: readonly Figures[]): Figures {
  const of = (pick: (figures: Figures) => number) => median(all.map(pick))
  return {
    requests: of((f) => f.requests),
    seconds: of((f) => f.seconds),
    perSecond: of((f) => f.perSecond),
    failed: of((f) => f.failed),
    bytes: of((f) => f.bytes),
    p50: of((f) => f.p50),
    p99: of((f) => f.p99),
    generator: Math.max(...all.map((f) => f.generator)),
    cpu: of((f) => f.cpu),
    redis: all.some((f) => f.redis === null) ? null : of((f) => f.redis ?? 0),
  }
}

/** The cells that every table has. */
export function cellsOf({ ratio: [low, middle, high], p99Ratio, figures }: Result): string[] {
  const { p50, p99, redis, bytes, cpu } = figures
  return [
    middle.toFixed(2),
    low === high ? '' : `${low.toFixed(2)}–${high.toFixed(2)}`,
    p50.toFixed(2),
    `${p99.toFixed(2)} (${p99Ratio.toFixed(2)} ×)`,
    redis === null ? '–' : redis.toFixed(redis < 0.01 && redis > 0 ? 4 : 2),
    bytes.toFixed(0),
    cpu.toFixed(1),
  ]
}

export const CELL_NAMES = ['ratio', 'quartiles', 'p50 ms', 'p99 ms', 'Redis / request', 'bytes', 'CPU µs']
