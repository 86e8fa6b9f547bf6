import { type Config, readConfig } from '../config/config.js'
import { type Command, CommandFailed, refuseArguments, type Terminal } from './command.js'
import { type Check, type Finding, fault, ok, reasonOf } from './doctor/check.js'
import { checkEmbeddedAccounts } from './doctor/embedded.js'
import { checkMachine } from './doctor/machine.js'
import { checkPostgresServer } from './doctor/postgres.js'
import { checkRedis } from './doctor/redis.js'
import { printable } from './printable.js'

const CHECKS: readonly Check[] = [checkMachine, checkEmbeddedAccounts, checkRedis, checkPostgresServer]

/** Without valid settings the stores are unknown, and are not checked. */
async function examine({ env }: Terminal): Promise<readonly Finding[]> {
  let config: Config
  try {
    config = readConfig({ ...env, NODE_ENV: 'production' })
  } catch (error) {
    return [fault('environment', reasonOf(error))]
  }
  const found = await Promise.all(CHECKS.map((check) => check(config)))
  return [ok('environment', 'is complete and safe for production.'), ...found.flat()]
}

/** Checks whether production would start and work here. */
export const doctor: Command = {
  name: 'doctor',
  usage: '',
  summary:
    'Checks the environment and the stores as production would, and changes nothing. Exit status 1 if it finds a fault.',
  async run(args, terminal) {
    refuseArguments(this, args)
    const findings = await examine(terminal)
    for (const { verdict, subject, sentence } of findings) {
      terminal.stdout.write(printable(`${verdict.padEnd(8)}${subject}: ${sentence}\n`))
    }
    const faults = findings.filter(({ verdict }) => verdict === 'fault')
    if (faults.length > 0)
      throw new CommandFailed(`Production cannot run with these settings. Faults: ${faults.length}.`)
  },
}
