import { type Config, readConfig } from '../config/config.js'
import { createKeyRing, type KeyRing } from '../credentials/keys.js'
import { type Command, Refusal, refuseArguments, type Terminal } from './command.js'
import { type Finding, NOTHING } from './inspect/finding.js'
import { type Liveness, livenessOf } from './inspect/liveness.js'
import { credentialsIn, type Pasted } from './inspect/pasted.js'
import { linesOf } from './inspect/report.js'
import { inspectSigned } from './inspect/signed.js'
import { TokenInspector } from './inspect/token.js'
import { openState, secretsOf } from './open-state.js'
import { printable } from './printable.js'

/** Longer than any header that servers accept. In bytes. */
const READ_MAX = 64 * 1024

async function readAll({ stdin, stderr }: Terminal): Promise<string> {
  if (stdin.isTTY) stderr.write('Paste a cookie or a token, then Enter and Ctrl-D:\n')
  let read = Buffer.alloc(0)
  for await (const chunk of stdin) {
    read = Buffer.concat([read, Buffer.from(chunk)])
    if (read.length > READ_MAX) throw new Refusal('What is on standard input is too long for a credential.')
  }
  const text = read.toString('utf8').trim()
  if (text === '') throw new Refusal('There is nothing on standard input.')
  return text
}

const LOOKS_LIKE_A_TOKEN = /^eyJ/

async function findingOf(config: Config, ring: KeyRing, pasted: Pasted, now: number): Promise<Finding> {
  if (pasted.cookie !== null || !LOOKS_LIKE_A_TOKEN.test(pasted.text)) {
    return inspectSigned({ ring, absoluteTtl: config.cookieAbsoluteTtl }, pasted, now)
  }
  if (pasted.text.split('.').length !== 3) return NOTHING
  const tokens = await TokenInspector.open(config, ring)
  try {
    return tokens.inspect(pasted.text, now)
  } finally {
    await tokens.close()
  }
}

const UNASKED: Liveness = {
  fault: null,
  signIn: null,
  remark: 'There is no store here to ask whether it is live.',
}

async function askStore(
  config: Config,
  ring: KeyRing,
  finding: Finding,
  now: number,
): Promise<Liveness | null> {
  if (!finding.subject) return null
  const store = await openState(config)
  if (!store) return UNASKED
  try {
    return await livenessOf({ store, ring, config, now }, finding.subject)
  } finally {
    await store.close()
  }
}

/** @returns whether the server would accept it */
async function inspectOne(config: Config, pasted: Pasted, terminal: Terminal): Promise<boolean> {
  const now = (terminal.clock ?? Date.now)()
  const ring = createKeyRing(secretsOf(config))
  const finding = await findingOf(config, ring, pasted, now)
  const liveness = await askStore(config, ring, finding, now)
  terminal.stdout.write(printable(`${linesOf(ring, finding, liveness, now).join('\n')}\n`))
  return finding.fault === null && (liveness?.fault ?? null) === null
}

async function inspectPasted(args: string[], terminal: Terminal): Promise<void> {
  refuseArguments(
    'inspect',
    args,
    'A credential is never taken from an argument, where others on this machine can read it: send it on standard input.',
  )
  const config = readConfig(terminal.env)
  const all = credentialsIn(await readAll(terminal), config)
  let refused = 0
  for (const pasted of all) if (!(await inspectOne(config, pasted, terminal))) refused += 1
  if (refused > 0) throw new Refusal('The server refuses it.')
}

/** Shows why somebody is signed out: a credential's content, whether it verifies, and whether it is live. */
export const inspect: Command = {
  name: 'inspect',
  usage: '',
  summary:
    'Reads a cookie or a token (or a header with one) from standard input; shows what is inside, and why it is refused.',
  run: inspectPasted,
}
