import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { createPasswordPolicy, PASSWORD_MIN_LENGTH, type PasswordFault } from '../accounts/password-policy.js'
import { PASSWORD_MAX_BYTES } from '../accounts/passwords.js'
import { passwordWords } from '../config/values.js'
import { CommandFailed, optionsOf, type Terminal, UsageError } from './command.js'

const LINE_FEED = 10
const CARRIAGE_RETURN = 13
/** In bytes. No password is longer, so reading stops. */
const READ_MAX = PASSWORD_MAX_BYTES + 1

const FAULTS: Readonly<Record<PasswordFault, string>> = {
  too_short: `The password is too short: it needs ${PASSWORD_MIN_LENGTH} characters or more.`,
  too_long: `The password is too long: it may have ${PASSWORD_MAX_BYTES} bytes at most.`,
  common: 'The password is one of the most commonly guessed ones.',
  like_username: 'The password contains the name of the account.',
}

function decode(bytes: Buffer): string {
  const end = bytes.at(-1) === CARRIAGE_RETURN ? -1 : bytes.length
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, end))
  } catch {
    throw new CommandFailed('The password on standard input is not UTF-8 text.')
  }
}

/** The first line of standard input, without its end (LF or CRLF). The rest is not read. */
async function readFirstLine({ stdin }: Terminal): Promise<string> {
  let read = Buffer.alloc(0)
  for await (const chunk of stdin) {
    read = Buffer.concat([read, chunk])
    const end = read.indexOf(LINE_FEED)
    if (end !== -1) return decode(read.subarray(0, end))
    if (read.length > READ_MAX) throw new CommandFailed(FAULTS.too_long)
  }
  return decode(read)
}

/** Asks twice. readline turns the terminal's echo off, and its own echo is discarded. */
async function prompt({ stdin, stderr }: Terminal): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const readline = createInterface({ input: stdin, output: nowhere, terminal: true, historySize: 0 })
  // Created before the first question: otherwise a second line that is pasted with the first one would be lost.
  const lines = readline[Symbol.asyncIterator]()
  const ask = async (question: string) => {
    stderr.write(question)
    const { done, value } = await lines.next()
    stderr.write('\n')
    if (done) throw new CommandFailed('No password was given, and nothing was changed.')
    return value
  }
  try {
    const password = await ask('Password: ')
    if ((await ask('The same again: ')) !== password) throw new CommandFailed('The two passwords differ.')
    return password
  } finally {
    readline.close()
  }
}

/**
 * Reads a new password: from the terminal, without echo and twice, or else from the first line of standard input. Never
 * from an argument, which other users of the machine can read. `PASSWORD_WORDS` applies as in the server.
 * @throws CommandFailed, also if the policy refuses it; CONFIG_INVALID, DEPENDENCY_MISSING
 */
export async function readNewPassword(terminal: Terminal, username: string): Promise<string> {
  const policy = createPasswordPolicy(passwordWords(terminal.env))
  const password = await (terminal.stdin.isTTY ? prompt(terminal) : readFirstLine(terminal))
  const fault = await policy.fault(password, username)
  if (fault) throw new CommandFailed(FAULTS[fault])
  return password
}

const PASSWORD_OPTION = /^--?p(w|wd|ass|asswd|assword|assphrase)?(=|$)/i

/** @throws UsageError for an option that looks like one for a password */
export function refusePasswordArgument(args: readonly string[]): void {
  if (!optionsOf(args).some((arg) => PASSWORD_OPTION.test(arg))) return
  throw new UsageError(
    'A password is never taken from an argument, where others on this machine can read it: type it at the prompt, or send it on standard input.',
  )
}
