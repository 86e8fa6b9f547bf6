import { parseArgs } from 'node:util'
import { isRole, ROLES, type Role } from '../accounts/contract.js'
import { canonicalUsername } from '../accounts/usernames.js'
import { createAudit } from '../audit.js'
import { UsernameInvalid } from '../errors.js'
import { type Command, type Terminal, UsageError } from './command.js'
import { BY_COMMAND_LINE } from './named-account.js'
import { withAccounts } from './open-accounts.js'
import { readNewPassword, refusePasswordArgument } from './password-input.js'

function parse(args: string[]): { username: string; role: Role } {
  refusePasswordArgument(args)
  const { values, positionals } = parseArgs({
    args,
    options: { role: { type: 'string', default: 'user' } },
    allowPositionals: true,
  })
  const [username, ...rest] = positionals
  if (username === undefined || rest.length > 0) throw new UsageError('account add takes one NAME.')
  if (!isRole(values.role)) throw new UsageError(`The role is one of: ${ROLES.join(', ')}.`)
  return { username, role: values.role }
}

async function addAccount(args: string[], terminal: Terminal): Promise<void> {
  const { username, role } = parse(args)
  if (canonicalUsername(username) === null) throw new UsernameInvalid()
  const password = await readNewPassword(terminal, username)
  const { id } = await withAccounts(terminal, (accounts) => accounts.create({ username, password, role }))
  createAudit({ clock: Date.now }).emit({ type: 'account_created', accountId: id, role, ...BY_COMMAND_LINE })
  terminal.stdout.write(`The account ${username} was added, with the role ${role}.\n`)
}

/** Adds an account. In production this is the only way to create the first one. */
export const accountAdd: Command = {
  name: 'account add',
  usage: `NAME [--role ${ROLES.join('|')}]`,
  summary: 'Adds an account (role user by default). The password is asked for, or read from standard input.',
  run: addAccount,
}
