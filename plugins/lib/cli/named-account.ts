import { parseArgs } from 'node:util'
import type { AccountDetails, Accounts } from '../accounts/contract.js'
import { type AuditReport, createAudit } from '../audit.js'
import { Refusal, type Terminal, UsageError } from './command.js'
import { withAccounts } from './open-accounts.js'

/**
 * Returns exactly as many words as `usage` has; options are refused.
 * @throws UsageError
 */
export function wordsOf(name: string, usage: string, args: string[]): string[] {
  const { positionals } = parseArgs({ args, options: {}, allowPositionals: true })
  if (positionals.length !== usage.split(' ').length) throw new UsageError(`${name} takes ${usage}.`)
  return positionals
}

export interface Work {
  readonly accounts: Accounts
  readonly account: AccountDetails
  /** Reports a change that was made here to the audit. */
  readonly tell: (report: AuditReport) => void
}

/**
 * Runs work on the account of that name.
 * @throws Refusal when there is none, and what the work throws
 */
export function withAccount(
  terminal: Terminal,
  username: string,
  work: (work: Work) => Promise<void>,
): Promise<void> {
  const audit = createAudit({ clock: Date.now })
  return withAccounts(terminal, async (accounts) => {
    const account = await accounts.findByUsername(username)
    if (!account) throw new Refusal(`There is no account named ${username}.`)
    await work({ accounts, account, tell: (report) => audit.emit(report) })
  })
}

/** Who changed it, in the audit. */
export const BY_COMMAND_LINE = { by: 'command_line', actorId: null } as const
