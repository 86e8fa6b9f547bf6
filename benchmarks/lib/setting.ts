import { availableParallelism } from 'node:os'

/** Duration and size of the measurements. */
export interface Setting {
  /** Only shows that everything works. The figures mean nothing. */
  readonly quick: boolean
  /** The number of measurements of each contender, each in a new process. */
  readonly rounds: number
  /** Seconds of one measurement. wrk takes whole ones. */
  readonly seconds: number
  /** Minimum warm-up in seconds. */
  readonly warmUpSeconds: number
  /** Signed-in users on each contender. */
  readonly users: number
  /** Live sign-ins, and revocations, of the growth parts. */
  readonly sizes: readonly number[]
  /** Credentials in use if there are more sign-ins. */
  readonly hot: number
}

const FULL: Setting = {
  quick: false,
  rounds: 5,
  seconds: 3,
  warmUpSeconds: 2,
  users: 500,
  // A process keeps a million revocations by default. Leaves room for those of the run itself.
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

/** The core of the measured server. Everything else runs on the last one. */
export const SERVER_CORE = '0'

/** The machine's cores. The runner is pinned to one of them, so it cannot count them itself. */
export const CORES = Number(process.env.BENCH_CORES ?? availableParallelism())

/** Whether server and load have separate cores. */
export const hasCores = CORES > 1
