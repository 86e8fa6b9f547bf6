import { isRole, ROLES } from '../accounts/contract.js'
import { tellOnceStored } from '../accounts/stored-change.js'
import { type Command, type Terminal, UsageError } from './command.js'
import { BY_COMMAND_LINE, withAccount, wordsOf } from './named-account.js'

async function setRole(args: string[], terminal: Terminal): Promise<void> {
  const [username = '', role = ''] = wordsOf('account role', 'NAME ROLE', args)
  if (!isRole(role)) throw new UsageError(`The role is one of: ${ROLES.join(', ')}.`)
  await withAccount(terminal, username, async ({ accounts, account: { id }, tell }) => {
    await tellOnceStored(accounts.setRole(id, role), () =>
      tell({ type: 'account_changed', accountId: id, changed: 'role', to: role, ...BY_COMMAND_LINE }),
    )
    terminal.stdout.write(`${username} has the role ${role} now, and every sign-in of it is ended.\n`)
  })
}

async function setDisabled(username: string, disabled: boolean, terminal: Terminal): Promise<void> {
  await withAccount(terminal, username, async ({ accounts, account: { id }, tell }) => {
    await tellOnceStored(accounts.setDisabled(id, disabled), () =>
      tell({ type: 'account_changed', accountId: id, changed: 'disabled', to: disabled, ...BY_COMMAND_LINE }),
    )
    const state = disabled ? 'disabled, and every sign-in of it is ended' : 'enabled'
    terminal.stdout.write(`${username} is ${state}.\n`)
  })
}

async function endSignIns(args: string[], terminal: Terminal): Promise<void> {
  const [username = ''] = wordsOf('account end-sign-ins', 'NAME', args)
  await withAccount(terminal, username, async ({ accounts, account: { id } }) => {
    await accounts.raiseEpoch(id)
    terminal.stdout.write(`Every sign-in of ${username} is ended.\n`)
  })
}

export const accountRole: Command = {
  name: 'account role',
  usage: `NAME ${ROLES.join('|')}`,
  summary: 'Gives the account a role, and ends its sign-ins.',
  run: setRole,
}

export const accountDisable: Command = {
  name: 'account disable',
  usage: 'NAME',
  summary: 'Lets nobody sign in to the account any more, and ends its sign-ins.',
  run: (args, terminal) => setDisabled(wordsOf('account disable', 'NAME', args)[0] ?? '', true, terminal),
}

export const accountEnable: Command = {
  name: 'account enable',
  usage: 'NAME',
  summary: 'Lets an account that was disabled sign in again.',
  run: (args, terminal) => setDisabled(wordsOf('account enable', 'NAME', args)[0] ?? '', false, terminal),
}

export const accountEndSignIns: Command = {
  name: 'account end-sign-ins',
  usage: 'NAME',
  summary: 'Signs the account out everywhere.',
  run: endSignIns,
}
