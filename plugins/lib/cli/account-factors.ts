import type { Kysely } from 'kysely'
import type { AccountDetails, Accounts } from '../accounts/contract.js'
import type { Tables } from '../database/tables.js'
import type { StoredFactor } from '../factors/contract.js'
import { noticeOwner, wordsOf } from './account-change.js'
import { type Command, CommandFailed, type Terminal } from './command.js'
import { audit, BY_COMMAND_LINE, withAccounts } from './open-accounts.js'
import { printable } from './printable.js'

interface Target {
  readonly accounts: Accounts
  readonly db: Kysely<Tables>
  readonly account: AccountDetails
  readonly factors: readonly StoredFactor[]
}

/** @throws CommandFailed if there is no such account */
async function withFactors(
  terminal: Terminal,
  username: string,
  work: (target: Target) => Promise<void>,
): Promise<void> {
  await withAccounts(terminal, async (accounts, db) => {
    const account = await accounts.findByUsername(username)
    if (!account) throw new CommandFailed(`There is no account named ${username}.`)
    await work({ accounts, db, account, factors: await accounts.factors.list(account.id) })
  })
}

/** Tabs separate the fields. None of them is secret. */
function lineOf({ id, kind, name, createdAt, lastUsedAt }: StoredFactor): string {
  const times = [createdAt, lastUsedAt].map((time) => (time === null ? '-' : new Date(time).toISOString()))
  return `${[id, kind, name, ...times].map(printable).join('\t')}\n`
}

export const accountFactors: Command = {
  name: 'account factors',
  usage: 'NAME',
  summary:
    'Lists the second factors, one on each line. Tabs separate id, kind, name, time of adding and of the last use.',
  async run(args, terminal) {
    const [username = ''] = wordsOf(this, args)
    await withFactors(terminal, username, async ({ factors }) => {
      for (const factor of factors) terminal.stdout.write(lineOf(factor))
    })
  },
}

export const accountResetFactors: Command = {
  name: 'account reset-factors',
  usage: 'NAME',
  summary:
    'Removes all second factors, and signs the account out everywhere. First make sure that the owner wants it.',
  async run(args, terminal) {
    const [username = ''] = wordsOf(this, args)
    await withFactors(terminal, username, async ({ accounts, db, account, factors }) => {
      const { id: accountId } = account
      const ids = factors.map(({ id }) => id)
      const removed = ids.length === 0 ? 0 : await accounts.factors.remove(accountId, ids)
      audit.emit({ type: 'factors_reset', accountId, removed, ...BY_COMMAND_LINE })
      // Ends the sign-ins after the removal, so that no sign-in that begins in between survives.
      await accounts.raiseEpoch(accountId)
      await noticeOwner(terminal, db, { accountId, what: 'factors_reset' })
      terminal.stdout.write(`${username} has no second factor any more and is signed out everywhere.\n`)
    })
  },
}
