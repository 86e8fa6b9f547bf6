import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Config } from '../../config/config.js'
import { loadOptional } from '../../optional.js'
import { type Finding, fault, ok, reasonOf, warning } from './check.js'

/** Checks the optional packages that these settings need. */
async function checkPackages({ redisUrl, databaseUrl }: Config): Promise<readonly Finding[]> {
  const isEmbedded = redisUrl === null || databaseUrl === null
  const wanted: [string, () => Promise<unknown>][] = [
    ['@node-rs/argon2', () => import('@node-rs/argon2')],
    ...(isEmbedded ? [['libsql', () => import('libsql')] satisfies [string, () => Promise<unknown>]] : []),
    ...(databaseUrl === null ? [] : [['pg', () => import('pg')] satisfies [string, () => Promise<unknown>]]),
  ]
  const findings = wanted.map(async ([name, load]) => {
    try {
      await loadOptional(name, load)
      return ok(name, 'is installed.')
    } catch (error) {
      return fault(name, reasonOf(error))
    }
  })
  return Promise.all(findings)
}

/** The directory, or the nearest one above it that exists. */
function nearest(directory: string): string {
  return existsSync(directory) ? directory : nearest(dirname(directory))
}

function isWritableDirectory(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

async function checkDataDir({ dataDir, redisUrl, databaseUrl }: Config): Promise<readonly Finding[]> {
  if (redisUrl !== null && databaseUrl !== null) return []
  const canWrite = isWritableDirectory(nearest(resolve(dataDir)))
  return [
    canWrite
      ? ok('DATA_DIR', `${dataDir} can be written.`)
      : fault('DATA_DIR', `${dataDir} cannot be written.`),
  ]
}

async function checkKeyFiles({ tokenKeys }: Config): Promise<readonly Finding[]> {
  const sentence = 'is open to every user of this machine.'
  return (tokenKeys?.openFiles ?? []).map((file) => warning('TOKEN_PRIVATE_KEY', `${file} ${sentence}`))
}

/** Checks packages, the data directory and key files. */
export async function checkMachine(config: Config): Promise<readonly Finding[]> {
  const all = await Promise.all([checkPackages(config), checkDataDir(config), checkKeyFiles(config)])
  return all.flat()
}
