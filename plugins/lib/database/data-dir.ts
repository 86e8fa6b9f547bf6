import { closeSync, existsSync, mkdirSync, openSync, realpathSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type Database from 'libsql'
import { ConfigInvalid } from '../errors.js'
import { loadOptional } from '../optional.js'
import { codeOf, FileTruncated, fileFault } from './faults.js'

/** The SQLite driver. @throws DEPENDENCY_MISSING */
export async function loadLibsql(): Promise<typeof Database> {
  return (await loadOptional('libsql', () => import('libsql'), 'The embedded database')).default
}

/**
 * Makes the file, readable by its owner only (SQLite gives its journals the mode of the file), in a
 * directory of mode 0700 unless there is one, and returns its real path.
 *
 * `wx` fails on a file that exists *without opening it*: closing any descriptor of a file drops every
 * lock that this process holds on it (POSIX advisory locks), SQLite's included.
 * @throws CONFIG_INVALID if others may write an existing file; FileTruncated, or the error of the file system
 */
export function createPrivateFile(file: string): string {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    refuseOpenFile(file)
    refuseEmptied(file)
  }
  return realpathSync(file)
}

/** @throws CONFIG_INVALID if others may write the file: they could sign in as anybody */
export function refuseOpenFile(file: string): void {
  if (statSync(file).mode & 0o022) throw new ConfigInvalid(`DATA_DIR: ${file} is writable by others.`)
}

/**
 * SQLite takes an empty file for a new database. If it has a log beside it, it held data before.
 * @throws FileTruncated
 */
function refuseEmptied(file: string): void {
  if (statSync(file).size === 0 && existsSync(`${file}-wal`)) throw new FileTruncated()
}

/** The embedded database of a data directory. */
export function databaseFile(dataDir: string): string {
  return join(dataDir, 'identity.db')
}

/**
 * Claims a data directory for this process, for as long as it lives. The lock is SQLite's own, so that a killed process
 * leaves none behind. It is on a separate file, so that the command line, which does not claim, can open the database
 * beside the server. Does not wait for the lock.
 * @throws CONFIG_INVALID if the directory is claimed already, or cannot be written; DEPENDENCY_MISSING
 */
export async function lockDataDir(dataDir: string): Promise<{ release(): void }> {
  const Libsql = await loadLibsql()
  const file = join(dataDir, 'identity.lock')
  try {
    const lock = new Libsql(createPrivateFile(file))
    return Object.freeze({ release: claim(lock) })
  } catch (error) {
    if (error instanceof ConfigInvalid) throw error
    throw lockFault(dataDir, file, error)
  }
}

function lockFault(dataDir: string, file: string, error: unknown): Error {
  const code = codeOf(error)
  if (code === 'SQLITE_BUSY')
    return new ConfigInvalid(
      `DATA_DIR: ${dataDir} is served by another process, and one at a time may serve it.`,
      { cause: error },
    )
  if (code === 'SQLITE_NOTADB')
    return new ConfigInvalid(`DATA_DIR: ${file} is damaged: delete it, for it holds nothing.`, {
      cause: error,
    })
  return fileFault(file, error)
}

/** Takes the lock or closes the connection. @returns a function that releases the lock */
function claim(lock: Database.Database): () => void {
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    throw error
  }
  return () => {
    if (!lock.open) return
    // Only closing is not enough, because a connection lives on until its transaction has ended.
    lock.exec('ROLLBACK')
    lock.close()
  }
}
