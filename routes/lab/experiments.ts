import type { Experiment } from './experiment.js'
import { twoStrangers } from './experiments/two-strangers.js'

/** All experiments, in the order of the page. */
export const EXPERIMENTS: readonly Experiment[] = [twoStrangers]
