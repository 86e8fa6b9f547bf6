import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** The interval between two tries, in ms. */
const LOOK = 100

/** Links a finished file, so that a lock always contains its owner's id. @param {string} file @returns {boolean} false if it is taken */
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

/** @param {string} file @returns {number | null} null if it is free */
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
 * Removes the lock of a killed process. Only one waiting process may do so, and it checks the owner again: the lock
 * may have a new one by then.
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
 * Does some work while no other process of this machine holds the lock.
 * @param {string} file the lock. It contains the process id of its owner
 * @param {() => Promise<void>} work
 */
export async function withLock(file, work) {
  for (let tries = 0; !take(file); tries++) {
    if (tries === 10) console.error(`Waiting for process ${ownerOf(file)}, which holds ${file}.`)
    removeIfLeft(file)
    await delay(LOOK)
  }
  try {
    await work()
  } finally {
    rmSync(file)
  }
}
