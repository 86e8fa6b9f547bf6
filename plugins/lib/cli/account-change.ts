import { parseArgs } from 'node:util'
import type { Kysely } from 'kysely'
import type { Accounts } from '../accounts/contract.js'
import { markStored, tellOnceStored } from '../accounts/stored-change.js'
import type { AuditDetails } from '../audit.js'
import { text } from '../config/values.js'
import type { Tables } from '../database/tables.js'
import { type Notice, notify } from '../mail/notices.js'
import { Outbox } from '../mail/outbox.js'
import { type Command, CommandFailed, readRole, type Terminal, UsageError } from './command.js'
import { audit, BY_COMMAND_LINE, withAccounts } from './open-accounts.js'
import { readNewPassword, refusePasswordArgument } from './password-input.js'

interface Target {
  readonly accounts: Accounts
  readonly db: Kysely<Tables>
  readonly accountId: string
  readonly username: string
  readonly terminal: Terminal
}

interface Change {
  readonly storing: Promise<unknown>
  /** For the audit. Null for a change that only ends sign-ins: that has events of its own. */
  readonly report: Pick<AuditDetails['account_changed'], 'changed' | 'to'> | null
  /** The rest of the printed sentence, after the account's name. */
  readonly done: string
}

/** As many words as the command's usage has. Options are refused. @throws UsageError */
export function wordsOf({ name, usage }: Command, args: string[]): string[] {
  refusePasswordArgument(args)
  const { positionals } = parseArgs({ args, options: {}, allowPositionals: true })
  if (positionals.length !== usage.split(' ').length) throw new UsageError(`${name} takes ${usage}.`)
  return positionals
}

/** @throws CommandFailed if there is no such account */
async function changeAccount(
  terminal: Terminal,
  username: string,
  change: (target: Target) => Promise<Change>,
): Promise<void> {
  await withAccounts(terminal, async (accounts, db) => {
    const account = await accounts.findByUsername(username)
    if (!account) throw new CommandFailed(`There is no account named ${username}.`)
    const { id: accountId } = account
    const { storing, report, done } = await change({ accounts, db, accountId, username, terminal })
    await tellOnceStored(storing, () => {
      if (report) audit.emit({ type: 'account_changed', accountId, ...report, ...BY_COMMAND_LINE })
    })
    terminal.stdout.write(`${username} ${done}.\n`)
  })
}

function changeCommand(name: string, summary: string, change: (target: Target) => Promise<Change>): Command {
  return {
    name,
    usage: 'NAME',
    summary,
    async run(args, terminal) {
      const [username = ''] = wordsOf(this, args)
      await changeAccount(terminal, username, change)
    },
  }
}

export const accountPasswd = changeCommand(
  'account passwd',
  'Sets a new password, typed or read from standard input, and signs the account out everywhere.',
  async ({ accounts, accountId, username, terminal }) => ({
    storing: accounts.setPassword(accountId, await readNewPassword(terminal, username)),
    report: { changed: 'password', to: null },
    done: 'has a new password and is signed out everywhere',
  }),
)

export const accountRole: Command = {
  name: 'account role',
  usage: 'NAME ROLE',
  summary: 'Gives the account the role admin or user, and signs it out everywhere.',
  async run(args, terminal) {
    const [username = '', word = ''] = wordsOf(this, args)
    const role = readRole(word)
    await changeAccount(terminal, username, async ({ accounts, accountId }) => ({
      storing: accounts.setRole(accountId, role),
      report: { changed: 'role', to: role },
      done: `has the role ${role} and is signed out everywhere`,
    }))
  },
}

export const accountDisable = changeCommand(
  'account disable',
  'Refuses every sign-in to the account, and signs it out everywhere.',
  async ({ accounts, accountId }) => ({
    storing: accounts.setDisabled(accountId, true),
    report: { changed: 'disabled', to: true },
    done: 'is disabled and signed out everywhere',
  }),
)

export const accountEnable = changeCommand(
  'account enable',
  'Lets a disabled account sign in again.',
  async ({ accounts, accountId }) => ({
    storing: accounts.setDisabled(accountId, false),
    report: { changed: 'disabled', to: false },
    done: 'is enabled',
  }),
)

export const accountEndSignIns = changeCommand(
  'account end-sign-ins',
  'Signs the account out everywhere.',
  async ({ accounts, accountId }) => ({
    storing: accounts.raiseEpoch(accountId),
    report: null,
    done: 'is signed out everywhere',
  }),
)

/** Stores a notice to the owner about a change. The server sends it, if `MAIL_URL` is set. */
export async function noticeOwner(
  { env }: Terminal,
  db: Kysely<Tables>,
  notice: Pick<Notice, 'accountId' | 'what' | 'to'>,
): Promise<void> {
  if (text(env, 'MAIL_URL', '') === '') return
  const outbox = new Outbox(db, Date.now)
  await notify({ outbox }, { ...notice, language: '', ip: null }).catch((error: unknown) => {
    throw markStored(error)
  })
}

async function setEmail({ accounts, accountId, db, terminal }: Target, email: string | null): Promise<void> {
  const set = await accounts.setEmail(accountId, email)
  if (!set || set.previous === null || set.previous === email) return
  await noticeOwner(terminal, db, { accountId, what: 'email_changed', to: set.previous })
}

export const accountEmail: Command = {
  name: 'account email',
  usage: 'NAME ADDRESS',
  summary: 'Sets the e-mail address, as if its owner had confirmed it. "none" removes the address.',
  async run(args, terminal) {
    const [username = '', address = ''] = wordsOf(this, args)
    const email = address === 'none' ? null : address
    await changeAccount(terminal, username, async (target) => ({
      storing: setEmail(target, email),
      report: { changed: 'email', to: null },
      done: email === null ? 'has no e-mail address any more' : `has the e-mail address ${email}`,
    }))
  },
}
