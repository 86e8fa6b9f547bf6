import { randomBytes } from 'node:crypto'
import { type Command, refuseArguments } from './command.js'

/** More than the required 32: HKDF uses all of them. */
const BYTES = 48

export const secret: Command = {
  name: 'secret',
  usage: '',
  summary: 'Prints a new random secret for AUTH_SECRETS.',
  async run(args, { stdout }) {
    refuseArguments(this, args)
    stdout.write(`${randomBytes(BYTES).toString('base64url')}\n`)
  },
}
