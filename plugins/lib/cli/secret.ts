import { randomBytes } from 'node:crypto'
import type { Command, Terminal } from './command.js'
import { refuseArguments } from './command.js'

/** More than the required 32: HKDF uses all of them. */
const BYTES = 48

async function printSecret(args: string[], { stdout }: Terminal): Promise<void> {
  refuseArguments('secret', args)
  stdout.write(`${randomBytes(BYTES).toString('base64url')}\n`)
}

/** A new entry for `AUTH_SECRETS`. */
export const secret: Command = {
  name: 'secret',
  usage: '',
  summary: 'Prints a new random secret for AUTH_SECRETS.',
  run: printSecret,
}
