import type { AccountDetails, Accounts } from '../accounts/contract.js'
import { type Command, refuseArguments } from './command.js'
import { withAccounts } from './open-accounts.js'
import { printable } from './printable.js'

const PAGE = 500

async function* everyAccount(accounts: Accounts): AsyncGenerator<AccountDetails> {
  let after: string | null = null
  do {
    const page: Awaited<ReturnType<Accounts['list']>> = await accounts.list({ limit: PAGE, after })
    yield* page.accounts
    after = page.next
  } while (after !== null)
}

/** Fields are separated by tabs, which no name contains. */
function lineOf({ username, role, disabled, createdAt }: AccountDetails): string {
  const fields = [username, role, disabled ? 'disabled' : 'enabled', new Date(createdAt).toISOString()]
  return `${fields.map(printable).join('\t')}\n`
}

/** Lists all accounts in the order of their names. */
export const accountList: Command = {
  name: 'account list',
  usage: '',
  summary:
    'Lists the accounts, one on each line: name, role, enabled or disabled, creation time; separated by tabs.',
  async run(args, terminal) {
    refuseArguments(this, args)
    await withAccounts(terminal, async (accounts) => {
      for await (const account of everyAccount(accounts)) terminal.stdout.write(lineOf(account))
    })
  },
}
