import { availableParallelism } from 'node:os'

/** How long and how much is measured. */
export interface Setting {
  /** Shows that everything works, and gives figures that mean nothing. */
  readonly quick: boolean
  /** How often each is measured, in a fresh process each time. */
  readonly rounds: number
  /** Of one measurement. wrk counts in whole ones. */
  readonly seconds: number
  /** Before it at least. */
  readonly warmUpSeconds: number
  /** Signed in on each contender. */
  readonly users: number
  /** Live sign-ins, and revocations, of the growth parts. */
  readonly sizes: readonly number[]
  /** Credentials in use where there are more sign-ins than that. */
  readonly hot: number
}

const FULL: Setting = {
  quick: false,
  rounds: 5,
  seconds: 3,
  warmUpSeconds: 2,
  users: 500,
  // A process keeps a million revocations by default: a few are left for those of the run itself.
  sizes: [1_000, 100_000, 999_000],
  hot: 20_000,
}

const QUICK: Setting = {
  quick: true,
  rounds: 1,
  seconds: 1,
  warmUpSeconds: 1,
  users: 20,
  sizes: [1_000, 5_000],
  hot: 200,
}

export function settingFor(quick: boolean): Setting {
  return Object.freeze(quick ? QUICK : FULL)
}

/** Connections of the load generator. */
export const CONNECTIONS = 64

/** The core of the server that is measured; everything else runs on the last one. */
export const SERVER_CORE = '0'

/** Of the machine: the runner is pinned to one of them, and must be told. */
export const CORES = Number(process.env.BENCH_CORES ?? availableParallelism())

/** Whether server and load have cores of their own. */
export const hasCores = CORES > 1
