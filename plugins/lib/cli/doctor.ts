import { type Config, readConfig } from '../config/config.js'
import { type Command, Refusal, refuseArguments, type Terminal } from './command.js'
import { type Check, type Finding, fault, ok, reasonOf } from './doctor/check.js'
import { checkEmbeddedAccounts } from './doctor/embedded.js'
import { checkMachine } from './doctor/machine.js'
import { checkPostgresServer } from './doctor/postgres.js'
import { checkRedis } from './doctor/redis.js'
import { printable } from './printable.js'

const CHECKS: readonly Check[] = [checkMachine, checkEmbeddedAccounts, checkRedis, checkPostgresServer]

/** Reads the settings as production does, whatever NODE_ENV is here. */
function readSettings({ env }: Terminal): Config | Finding {
  try {
    return readConfig({ ...env, NODE_ENV: 'production' })
  } catch (error) {
    return fault('environment', reasonOf(error))
  }
}

async function examine(terminal: Terminal): Promise<readonly Finding[]> {
  const config = readSettings(terminal)
  // Without valid settings the stores are unknown.
  if ('verdict' in config) return [config]
  const found = await Promise.all(CHECKS.map((check) => check(config)))
  return [ok('environment', 'is complete and safe for production.'), ...found.flat()]
}

async function runDoctor(args: string[], terminal: Terminal): Promise<void> {
  refuseArguments('doctor', args)
  const findings = await examine(terminal)
  for (const { verdict, subject, sentence } of findings) {
    terminal.stdout.write(printable(`${verdict.padEnd(8)}${subject}: ${sentence}\n`))
  }
  const faults = findings.filter(({ verdict }) => verdict === 'fault')
  if (faults.length > 0) throw new Refusal(`Production would not start well: ${faults.length} to mend.`)
}

/** Checks whether production would start and work here. */
export const doctor: Command = {
  name: 'doctor',
  usage: '',
  summary:
    'Checks the environment and the stores as production would, and changes nothing. Exit status 1: something is to mend.',
  run: runDoctor,
}
