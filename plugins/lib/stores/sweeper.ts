import type { FastifyBaseLogger } from 'fastify'
import type { Clock } from '../contract.js'
import type { StateStore } from './contract.js'

/** How often what has passed is collected, in ms. */
const SWEEP_INTERVAL = 60_000

/**
 * Sweeps until it is stopped. It keeps no process alive, and a fault waits for the next time.
 * @returns what stops it
 */
export function sweepRegularly(
  store: Pick<StateStore, 'sweep'>,
  clock: Clock,
  log: Pick<FastifyBaseLogger, 'warn'>,
  interval = SWEEP_INTERVAL,
): () => void {
  const timer = setInterval(sweep, interval).unref()
  async function sweep() {
    try {
      await store.sweep(clock())
    } catch (err) {
      log.warn({ err }, 'What has expired could not be collected; it is refused all the same.')
    }
  }
  return () => clearInterval(timer)
}
