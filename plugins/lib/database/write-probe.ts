import { statSync } from 'node:fs'
import type Database from 'libsql'
import { list, number } from '../stores/narrow.js'

/** Which file was opened, whatever is found under its name later. */
export interface FileIdentity {
  readonly path: string
  readonly device: bigint
  readonly inode: bigint
}

/** @throws what the file system says */
export function identify(path: string): FileIdentity {
  const { dev: device, ino: inode } = statSync(path, { bigint: true })
  return { path, device, inode }
}

/** A connection goes on reading and writing a file that has no name any more: all of it would be lost. */
function refuseReplaced(opened: FileIdentity): void {
  const found = identify(opened.path)
  if (found.device !== opened.device || found.inode !== opened.inode)
    throw new Error(`${opened.path} is another file than the one that was opened`)
}

/**
 * Writes to the database, and changes nothing. `user_version` is written even when it stays the same, where an UPDATE
 * would leave out a page that does not change. Synchronous; it waits for the disk.
 * @throws what the driver or the file system says, and when another file has the database's name
 */
export function takeWrite(connection: Database.Database, identity: FileIdentity | null): void {
  if (identity) refuseReplaced(identity)
  const version = number(list(connection.prepare('PRAGMA user_version').raw().get())[0])
  connection.pragma(`user_version = ${version}`)
}
