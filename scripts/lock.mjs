import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** How often somebody else's lock is looked at, in ms. */
const LOOK = 100

/** @param {string} file @returns {boolean} false when another process has it */
function take(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' })
    return true
  } catch {
    return false
  }
}

/** A process that was killed leaves its lock behind. @param {string} file */
function removeIfLeft(file) {
  try {
    const pid = Number(readFileSync(file, 'utf8'))
    // Empty for the moment between making it and writing to it.
    if (pid > 0) process.kill(pid, 0)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : ''
    if (code === 'ESRCH') rmSync(file, { force: true })
  }
}

/**
 * Does some work while no other process of this machine does the same.
 * @param {string} file names the lock, and holds the id of its owner's process
 * @param {() => Promise<void>} work
 */
export async function withLock(file, work) {
  while (!take(file)) {
    removeIfLeft(file)
    await delay(LOOK)
  }
  try {
    await work()
  } finally {
    rmSync(file, { force: true })
  }
}
