import { statSync } from 'node:fs'
import type Database from 'libsql'
import { list, number } from '../stores/narrow.js'

/** The file that was opened, even if another file gets its name later. */
export interface FileIdentity {
  readonly path: string
  readonly device: bigint
  readonly inode: bigint
}

/** @throws the error of the file system */
export function identify(path: string): FileIdentity {
  const { dev: device, ino: inode } = statSync(path, { bigint: true })
  return { path, device, inode }
}

/** A connection continues to use a file that has lost its name, and everything written would be lost. */
function refuseReplaced(opened: FileIdentity): void {
  const found = identify(opened.path)
  if (found.device !== opened.device || found.inode !== opened.inode)
    throw new Error(`${opened.path} is another file than the one that was opened`)
}

/**
 * Writes to the database, and changes nothing. SQLite writes `user_version` even if it stays the same; an UPDATE would
 * skip an unchanged page. Synchronous; it waits for the disk.
 * @throws the error of the driver or the file system, or if another file has the database's name
 */
export function takeWrite(connection: Database.Database, identity: FileIdentity | null): void {
  if (identity) refuseReplaced(identity)
  const version = number(list(connection.prepare('PRAGMA user_version').raw().get())[0])
  connection.pragma(`user_version = ${version}`)
}
