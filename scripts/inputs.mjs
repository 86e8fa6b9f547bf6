import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** In a directory that was made from sources: the hash of these. */
export const STAMP = 'made-from'

/** @param {string} path @returns {string[]} the files at or under it, in order */
export function filesOf(path) {
  if (!existsSync(path)) return []
  if (statSync(path).isFile()) return [path]
  return readdirSync(path)
    .filter((name) => name !== 'node_modules' && name !== 'dist')
    .sort()
    .flatMap((name) => filesOf(join(path, name)))
}

/** By content: a checkout gives files new times. @param {string[]} paths files and directories */
export function hashOf(paths) {
  const hash = createHash('sha256')
  for (const file of paths.flatMap(filesOf)) {
    hash.update(`${file}\0`).update(readFileSync(file)).update('\0')
  }
  return hash.digest('hex')
}

/** @param {string} directory @param {string} inputs hash of them */
export const isMadeFrom = (directory, inputs) =>
  existsSync(join(directory, STAMP)) && readFileSync(join(directory, STAMP), 'utf8') === inputs
