import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** A file in a directory that was made from sources. It contains their hash. */
export const STAMP = 'made-from'

/** @param {string} path @returns {string[]} the files at or under it, sorted */
export function filesOf(path) {
  if (!existsSync(path)) return []
  if (statSync(path).isFile()) return [path]
  return readdirSync(path)
    .filter((name) => name !== 'node_modules' && name !== 'dist')
    .sort()
    .flatMap((name) => filesOf(join(path, name)))
}

/** Hashes contents, since a checkout changes the times of files. @param {string[]} paths files and directories */
export function hashOf(paths) {
  const hash = createHash('sha256')
  for (const file of paths.flatMap(filesOf)) {
    hash.update(`${file}\0`).update(readFileSync(file)).update('\0')
  }
  return hash.digest('hex')
}

/** @param {string} directory @param {string} inputs the hash of the sources */
export const isMadeFrom = (directory, inputs) =>
  existsSync(join(directory, STAMP)) && readFileSync(join(directory, STAMP), 'utf8') === inputs
