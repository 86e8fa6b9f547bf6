import type { HashQueue } from '../accounts/hash-queue.js'
import type { Instruments } from './instruments.js'

/**
 * Measures the queue of passwords to be hashed. Applications without a bound of their own share the process's queue.
 * @returns a function that stops measuring
 */
export function watchHashes(instruments: Instruments, queue: HashQueue): () => void {
  instruments.gauge('hash_running', () => queue.running)
  instruments.gauge('hash_waiting', () => queue.waiting)
  instruments.pulledCounter('hash_shed_total', (counter) => void counter.inc(queue.shed))
  const seconds = instruments.histogram('hash_seconds')
  return queue.onDone((took) => seconds.observe(took / 1000))
}
