import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

let made = ''

/** A directory of this run, removed when it ends. */
export function workDirectory(): string {
  if (made === '') {
    made = mkdtempSync(join(tmpdir(), 'fastify-identity-bench-'))
    process.once('exit', () => rmSync(made, { recursive: true, force: true }))
  }
  return made
}

/** A new directory in it, for one server's data. */
export function newDataDir(): string {
  return mkdtempSync(join(workDirectory(), 'data-'))
}
