import type { Environment } from './environment.js'

/** How long another tab may hold the lock before it counts as dead, in milliseconds. Less than the server's grace. */
const PATIENCE = 5000
/**
 * In milliseconds. How long the lock is kept after successful work, so that the other tabs get its message before they
 * get the lock.
 */
const HAND_OVER = 50

/**
 * Runs the work while no other tab does. This only saves work, and is no guarantee. If a tab is dead or hangs, another
 * one goes on, and both may run. Without locks, all may run.
 */
export function alone<T>(env: Environment, name: string, work: () => Promise<T>): Promise<T> {
  const { locks, timeout, wait } = env
  return new Promise((resolve) => {
    let running: Promise<T> | undefined
    const run = async () => {
      running ??= work()
      resolve(running)
      if (await running) await wait(HAND_OVER)
    }
    // The failure may be that of the work. Or the lock was not free, or was stolen while the work ran.
    const take = async (options: { signal?: AbortSignal; steal?: boolean }) =>
      running ?? locks?.request(name, options, run).catch(() => {})
    void take({ signal: timeout(PATIENCE) })
      .then(() => take({ steal: true }))
      .then(run)
      .catch(() => {})
  })
}
