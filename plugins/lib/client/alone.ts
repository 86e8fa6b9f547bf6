import type { Environment } from './environment.js'

/** How long another tab may hold the lock before it counts as dead, in milliseconds. Less than the server's grace. */
const PATIENCE = 5000
/** After work that came to something, the others get its message before they get the lock. In milliseconds. */
const HAND_OVER = 50

/**
 * Runs the work while no other tab does. That only saves work: a tab that is dead or hangs is passed over, and then two
 * may run. So may they where locks are missing.
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
    // A failure is that of the work, or says that the lock was not free or was stolen while the work ran.
    const take = async (options: { signal?: AbortSignal; steal?: boolean }) =>
      running ?? locks?.request(name, options, run).catch(() => {})
    void take({ signal: timeout(PATIENCE) })
      .then(() => take({ steal: true }))
      .then(run)
      .catch(() => {})
  })
}
