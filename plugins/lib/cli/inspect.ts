import { readConfig } from '../config/config.js'
import { createKeyRing } from '../credentials/keys.js'
import { type Command, CommandFailed, type Terminal, UsageError } from './command.js'
import { inspectApiKey, looksLikeApiKey } from './inspect/api-key.js'
import { judgeProof } from './inspect/device-proof.js'
import type { Finding, InspectParts } from './inspect/finding.js'
import { type Liveness, livenessOf } from './inspect/liveness.js'
import { credentialsIn, type Pasted } from './inspect/pasted.js'
import { linesOf } from './inspect/report.js'
import { inspectSigned } from './inspect/signed.js'
import { inspectToken } from './inspect/token.js'
import { openState, secretsOf } from './open-state.js'
import { printable } from './printable.js'

/** Longer than any header that servers accept. In bytes. */
const READ_MAX = 64 * 1024

async function readAll({ stdin, stderr }: Terminal): Promise<string> {
  if (stdin.isTTY) stderr.write('Paste a cookie, a token or an API key, then Enter and Ctrl-D:\n')
  let read = Buffer.alloc(0)
  for await (const chunk of stdin) {
    read = Buffer.concat([read, Buffer.from(chunk)])
    if (read.length > READ_MAX)
      throw new CommandFailed('The text on standard input is too long for a credential.')
  }
  const text = read.toString('utf8').trim()
  if (text === '') throw new CommandFailed('There is nothing on standard input.')
  return text
}

const LOOKS_LIKE_A_TOKEN = /^eyJ/

async function findingOf(parts: InspectParts, pasted: Pasted, terminal: Terminal): Promise<Finding> {
  if (pasted.cookie === null && looksLikeApiKey(pasted.text))
    return inspectApiKey(parts, terminal, pasted.text)
  const isToken = pasted.cookie === null && LOOKS_LIKE_A_TOKEN.test(pasted.text)
  return isToken ? inspectToken(parts, pasted) : inspectSigned(parts, pasted)
}

const UNASKED: Liveness = {
  fault: null,
  signIn: null,
  remark: 'There is no store here to ask whether it is live.',
}

async function askStore(parts: InspectParts, { subject }: Finding): Promise<Liveness | null> {
  if (!subject) return null
  const store = await openState(parts.config)
  if (!store) return UNASKED
  try {
    return await livenessOf({ ...parts, store }, subject)
  } finally {
    await store.close()
  }
}

/** @returns whether the server would accept it */
async function inspectOne(parts: InspectParts, pasted: Pasted, terminal: Terminal): Promise<boolean> {
  const finding = await findingOf(parts, pasted, terminal)
  const liveness = judgeProof(parts, pasted, await askStore(parts, finding))
  terminal.stdout.write(printable(`${linesOf(parts, finding, liveness).join('\n')}\n`))
  return finding.fault === null && (liveness?.fault ?? null) === null
}

const NO_ARGUMENTS =
  'A credential is never taken from an argument, where others on this machine can read it: send it on standard input.'

/** Shows why somebody is signed out: a credential's content, whether it verifies, and whether it is live. */
export const inspect: Command = {
  name: 'inspect',
  usage: '',
  summary:
    'Reads a cookie, a token or an API key, or a header with one, from standard input. Shows its content, and why the server refuses it.',
  async run(args, terminal) {
    if (args.length > 0) throw new UsageError(NO_ARGUMENTS)
    const config = readConfig(terminal.env)
    const all = credentialsIn(await readAll(terminal), config)
    const ring = createKeyRing(secretsOf(config))
    const parts = { config, ring, now: (terminal.clock ?? Date.now)() }
    let isRefused = false
    for (const pasted of all) if (!(await inspectOne(parts, pasted, terminal))) isRefused = true
    if (isRefused) throw new CommandFailed('The server refuses it.')
  },
}
