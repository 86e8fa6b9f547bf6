import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { secretWeakness } from '../credentials/secret-strength.js'
import { refuseOpenFile } from '../database/data-dir.js'
import { codeOf } from '../database/faults.js'
import { ConfigInvalid } from '../errors.js'

/** The secret of an earlier start, or null. */
function readSecret(file: string): string | null {
  try {
    refuseOpenFile(file)
    return readFileSync(file, 'utf8').trim()
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return null
    if (cause instanceof ConfigInvalid) throw cause
    throw new ConfigInvalid(`DATA_DIR: ${file} cannot be read.`, { cause })
  }
}

/** Linked into place when complete: two processes that start at once read the same secret, and never half of one. */
function createSecret(dataDir: string, file: string): void {
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    writeFileSync(draft, `${randomBytes(48).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
    linkSync(draft, file)
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') return
    throw new ConfigInvalid(`DATA_DIR: ${file} cannot be written.`, { cause })
  } finally {
    rmSync(draft, { force: true })
  }
}

/**
 * The secret of a development installation. Generated once into its data directory (mode 0600), so that a restart signs
 * nobody out.
 * @throws CONFIG_INVALID if the secret is too weak, or the file cannot be read or written
 */
export function developmentSecret(dataDir: string): string {
  const file = join(dataDir, 'secret')
  if (readSecret(file) === null) createSecret(dataDir, file)
  const secret = readSecret(file) ?? ''
  const weakness = secretWeakness(secret)
  if (weakness) throw new ConfigInvalid(`DATA_DIR: the secret in ${file} ${weakness}.`)
  return secret
}
