import { parseArgs } from 'node:util'
import { ROLES } from '../accounts/contract.js'
import { canonicalUsername } from '../accounts/usernames.js'
import { UsernameInvalid } from '../errors.js'
import { type Command, readRole, UsageError } from './command.js'
import { audit, BY_COMMAND_LINE, withAccounts } from './open-accounts.js'
import { readNewPassword, refusePasswordArgument } from './password-input.js'

function parse(args: string[]) {
  refusePasswordArgument(args)
  const { values, positionals } = parseArgs({
    args,
    options: { role: { type: 'string', default: 'user' } },
    allowPositionals: true,
  })
  const [username, ...rest] = positionals
  if (username === undefined || rest.length > 0) throw new UsageError('account add takes one NAME.')
  return { username, role: readRole(values.role) }
}

/** Adds an account. In production this is the only way to create the first one. */
export const accountAdd: Command = {
  name: 'account add',
  usage: `NAME [--role ${ROLES.join('|')}]`,
  summary: 'Adds an account (role user by default). The password is typed or read from standard input.',
  async run(args, terminal) {
    const { username, role } = parse(args)
    if (canonicalUsername(username) === null) throw new UsernameInvalid()
    const password = await readNewPassword(terminal, username)
    const { id } = await withAccounts(terminal, (accounts) => accounts.create({ username, password, role }))
    audit.emit({ type: 'account_created', accountId: id, role, ...BY_COMMAND_LINE })
    terminal.stdout.write(`The account ${username} was added, with the role ${role}.\n`)
  },
}
