import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/*
 * Preloaded into every measured server. Answers the runner over IPC, and ends the process with it. So a contender is just
 * a server on a given port, and the user center needs no change.
 */

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** Resources of this process. Times are in microseconds, sizes in bytes. */
function usage() {
  const { user, system } = process.cpuUsage()
  const { maxRSS } = process.resourceUsage()
  return { cpu: user + system, rss: process.memoryUsage.rss(), peak: maxRSS * 1024 }
}

/** Live bytes on the heap. */
function heap() {
  collectGarbage()
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return { heap: heapUsed + external }
}

function answer(question: unknown): void {
  if (question === 'usage') process.send?.(usage())
  else if (question === 'heap') process.send?.(heap())
}

if (process.send) {
  process.on('message', answer)
  process.once('disconnect', () => process.exit(0))
  process.channel?.unref()
}
