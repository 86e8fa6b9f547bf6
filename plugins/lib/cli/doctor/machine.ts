import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Config } from '../../config/config.js'
import { loadOptional } from '../../optional.js'
import { type Finding, fault, ok, reasonOf, warning } from './check.js'

/** Checks the optional packages that these settings need. */
async function checkPackages({ redisUrl, databaseUrl }: Config): Promise<readonly Finding[]> {
  const wanted: Record<string, false | (() => Promise<unknown>)> = {
    '@node-rs/argon2': () => import('@node-rs/argon2'),
    libsql: (redisUrl === null || databaseUrl === null) && (() => import('libsql')),
    pg: databaseUrl !== null && (() => import('pg')),
  }
  const findings = Object.entries(wanted).map(async ([name, load]) => {
    if (!load) return []
    try {
      await loadOptional(name, load)
      return ok(name, 'is installed.')
    } catch (error) {
      return fault(name, reasonOf(error))
    }
  })
  return (await Promise.all(findings)).flat()
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
  const files = tokenKeys?.openFiles ?? []
  return files.map((file) =>
    warning('TOKEN_PRIVATE_KEY', `Every user of this machine can read or write ${file}.`),
  )
}

/** Checks packages, the data directory and key files. */
export async function checkMachine(config: Config): Promise<readonly Finding[]> {
  const all = await Promise.all([checkPackages(config), checkDataDir(config), checkKeyFiles(config)])
  return all.flat()
}
