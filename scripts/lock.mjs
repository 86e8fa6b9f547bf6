import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** How often somebody else's lock is looked at, in ms. */
const LOOK = 100

/** Linked into place, so that a lock is never without its owner's id. @param {string} file @returns {boolean} false when it is taken */
function take(file) {
  const draft = `${file}-${process.pid}`
  writeFileSync(draft, String(process.pid))
  try {
    linkSync(draft, file)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft)
  }
}

/** @param {string} file @returns {number | null} null when it is free */
function ownerOf(file) {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch {
    return null
  }
}

/** @param {number} pid */
function isRunning(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}

/**
 * A process that was killed leaves its lock behind. One of those that wait removes it, and looks again before: by
 * then it may be another's.
 * @param {string} file
 */
function removeIfLeft(file) {
  const owner = ownerOf(file)
  if (owner === null || isRunning(owner)) return
  const claim = `${file}.${owner}`
  if (!take(claim)) return
  if (ownerOf(file) === owner) rmSync(file)
  rmSync(claim)
}

/**
 * Does some work while no other process of this machine does the same.
 * @param {string} file names the lock, and holds the id of its owner's process
 * @param {() => Promise<void>} work
 */
export async function withLock(file, work) {
  for (let tries = 0; !take(file); tries++) {
    if (tries === 10) console.error(`Waiting for process ${ownerOf(file)}, which has ${file}.`)
    removeIfLeft(file)
    await delay(LOOK)
  }
  try {
    await work()
  } finally {
    rmSync(file)
  }
}
