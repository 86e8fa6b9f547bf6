import type { Readable, Writable } from 'node:stream'
import { isRole, ROLES, type Role } from '../accounts/contract.js'
import type { Clock } from '../contract.js'

/** The streams and environment of a command: the process's own, or a test's. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Writable
  readonly stderr: Writable
  /** Defaults to the system's. */
  readonly clock?: Clock
}

/** One subcommand. */
export interface Command {
  /** The words that select it: `account add`. */
  readonly name: string
  /** The arguments after its name. */
  readonly usage: string
  readonly summary: string
  /** @throws UsageError, CommandFailed, or an error of the suite */
  run(args: string[], terminal: Terminal): Promise<void>
}

/** The command was called wrongly: exit status 2. */
export class UsageError extends Error {}

/** The command was understood and not carried out: exit status 1. */
export class CommandFailed extends Error {}

/** The arguments before `--`, which may contain options. */
export function optionsOf(args: readonly string[]): readonly string[] {
  const end = args.indexOf('--')
  return end === -1 ? args : args.slice(0, end)
}

/** For a command without arguments. @throws UsageError, which does not quote them: one may be a secret */
export function refuseArguments({ name }: Command, args: readonly string[]): void {
  if (args.length > 0) throw new UsageError(`${name} takes no arguments.`)
}

/** @throws UsageError */
export function readRole(text: string): Role {
  if (isRole(text)) return text
  throw new UsageError(`The role is one of: ${ROLES.join(', ')}.`)
}
