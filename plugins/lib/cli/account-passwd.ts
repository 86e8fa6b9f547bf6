import { tellOnceStored } from '../accounts/stored-change.js'
import type { Command, Terminal } from './command.js'
import { BY_COMMAND_LINE, withAccount, wordsOf } from './named-account.js'
import { readNewPassword, refusePasswordArgument } from './password-input.js'

const USAGE = 'NAME'

async function setPassword(args: string[], terminal: Terminal): Promise<void> {
  refusePasswordArgument(args)
  const [username = ''] = wordsOf('account passwd', USAGE, args)
  await withAccount(terminal, username, async ({ accounts, account: { id }, tell }) => {
    const changing = accounts.setPassword(id, await readNewPassword(terminal, username))
    await tellOnceStored(changing, () =>
      tell({ type: 'account_changed', accountId: id, changed: 'password', to: null, ...BY_COMMAND_LINE }),
    )
    terminal.stdout.write(`${username} has a new password, and every sign-in of it is ended.\n`)
  })
}

/** Sets a new password for a person who forgot theirs. */
export const accountPasswd: Command = {
  name: 'account passwd',
  usage: USAGE,
  summary:
    'Sets a new password, asked for or read from standard input, and ends every sign-in of the account.',
  run: setPassword,
}
