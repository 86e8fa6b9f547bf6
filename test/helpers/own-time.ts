import { readFileSync } from 'node:fs'

/** Text of a file, or '' where its process is gone or the machine has none. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** This process, and all that it has started and they have. */
function processes(pid = process.pid): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean)
  return [pid, ...children.flatMap((child) => processes(Number(child)))]
}

/** By process, in ms: what it had waited when it was looked at last. */
const seen = new Map<number, number>()
let waited = 0
/** In ms: looking costs as much as some requests. */
const LOOK_EVERY = 20
let nextLook = 0
/** Several may wait at one time, and the sum grow faster than time does: it must go on all the same. */
const MOST = 0.8

/** Adds what each of them has waited for a processor since the last look (proc(5), schedstat: nanoseconds). */
function look(now: number): void {
  for (const pid of processes()) {
    const total = Number(read(`/proc/${pid}/schedstat`).split(' ')[1] ?? 0) / 1e6
    waited += Math.max(0, total - (seen.get(pid) ?? total))
    seen.set(pid, total)
  }
  waited = Math.min(waited, MOST * now)
}

/**
 * Time in ms without that in which this process, and those that it started, waited for a processor. It measures how
 * long something took, for promises such as "within a second": other programs on a busy machine must not break them.
 * It may step back, and says nothing of what came first.
 */
export function ownTime(): number {
  const now = performance.now()
  if (now >= nextLook) {
    look(now)
    nextLook = now + LOOK_EVERY
  }
  return now - waited
}
