import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/config.js'
import { developmentSecret } from '../config/development-secret.js'
import { Refusal } from './command.js'

/**
 * The secrets of the server in the same environment. None is made here: nothing could be verified with it.
 * @throws Refusal where there are none yet
 */
export function secretsOf({ secrets, dataDir }: Config): readonly string[] {
  if (secrets) return secrets
  if (existsSync(join(dataDir, 'secret'))) return [developmentSecret(dataDir)]
  throw new Refusal(`AUTH_SECRETS is not set, and there is no generated secret in ${dataDir} yet.`)
}
