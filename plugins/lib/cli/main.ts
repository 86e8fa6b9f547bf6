import { accountAdd } from './account-add.js'
import {
  accountDisable,
  accountEmail,
  accountEnable,
  accountEndSignIns,
  accountPasswd,
  accountRole,
} from './account-change.js'
import { accountFactors, accountResetFactors } from './account-factors.js'
import { accountList } from './account-list.js'
import { type Command, optionsOf, type Terminal, UsageError } from './command.js'
import { doctor } from './doctor.js'
import { inspect } from './inspect.js'
import { keysReseal } from './keys-reseal.js'
import { printable } from './printable.js'
import { secret } from './secret.js'

const PROGRAM = 'fastify-identity'

const COMMANDS: readonly Command[] = [
  accountAdd,
  accountList,
  accountPasswd,
  accountRole,
  accountEmail,
  accountDisable,
  accountEnable,
  accountEndSignIns,
  accountFactors,
  accountResetFactors,
  secret,
  keysReseal,
  doctor,
  inspect,
]

function usage(): string {
  const lines = COMMANDS.flatMap(({ name, usage, summary }) => [
    `  ${PROGRAM} ${name} ${usage}`.trimEnd(),
    `      ${summary}`,
  ])
  return [
    'Usage:',
    ...lines,
    '',
    "Reads the server's environment: DATA_DIR, DATABASE_URL, REDIS_URL, AUTH_SECRETS and the other settings, also from .env.",
    '',
  ].join('\n')
}

/** The command whose words the arguments begin with, and the arguments after them. */
function choose(args: readonly string[]): { command: Command; rest: string[] } {
  for (const command of COMMANDS) {
    const words = command.name.split(' ')
    if (words.every((word, index) => args[index] === word)) return { command, rest: args.slice(words.length) }
  }
  throw new UsageError(`There is no such command; ${PROGRAM} --help lists them.`)
}

/** Keeps only the first sentence of an error of parseArgs: its further advice does not apply here. */
function toUsageError(error: unknown): unknown {
  const parsing = error instanceof Error && 'code' in error && `${error.code}`.startsWith('ERR_PARSE_ARGS_')
  return parsing ? new UsageError(error.message.replace(/[.\n].*/s, '.')) : error
}

function report(error: unknown, { stderr }: Terminal): 1 | 2 {
  stderr.write(`${PROGRAM}: ${printable(error instanceof Error ? error.message : String(error))}\n`)
  return error instanceof UsageError ? 2 : 1
}

/**
 * Runs the command line.
 * @param args without the program's own name
 * @returns the exit status: 0 done, 1 refused, 2 called wrongly; one sentence on stderr says why
 */
export async function main(args: readonly string[], terminal: Terminal): Promise<0 | 1 | 2> {
  if (optionsOf(args).some((arg) => arg === '--help' || arg === '-h')) {
    terminal.stdout.write(usage())
    return 0
  }
  try {
    const { command, rest } = choose(args)
    await command.run(rest, terminal)
    return 0
  } catch (error) {
    return report(toUsageError(error), terminal)
  }
}
