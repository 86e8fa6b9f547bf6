import { readFileSync, type Stats, statSync } from 'node:fs'
import { ConfigInvalid } from '../errors.js'
import { pemBlocks, splitPem } from '../token/pem.js'
import { checkSigningKeys, SHARED, type SigningKeys } from '../token/signing-keys.js'
import { type Environment, text } from './values.js'

/** The content of `TOKEN_PRIVATE_KEY`. */
export interface TokenKeySettings {
  /** Key objects: they reveal nothing if a config is logged. */
  readonly keys: SigningKeys
  /** Files with a private key that every user of the machine may read or write. */
  readonly openFiles: readonly string[]
}

/** Far more than any list of keys needs. In bytes. */
const FILE_MAX = 64 * 1024

const OPEN_TO_ALL = 0o006

/** No message quotes an entry, and no error has a cause: an entry that is no path may be a malformed key. */
const refuse = (fault: string) => new ConfigInvalid(`TOKEN_PRIVATE_KEY: ${fault}.`)

interface Entry {
  readonly inputs: readonly string[]
  readonly openFile: string | null
}

/** Drops the system's error, because it quotes the path. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

function statFile(path: string, number: number): Stats {
  const stats = attempt(() => statSync(path))
  // Reading a pipe or a device might never end.
  if (!stats?.isFile()) throw refuse(`entry number ${number} is neither a PEM nor the path of a file`)
  if (stats.size > FILE_MAX) throw refuse(`the file of entry number ${number} is too large for keys`)
  return stats
}

function readFile(path: string, number: number): Entry {
  const { mode } = statFile(path, number)
  const inputs = pemBlocks(attempt(() => readFileSync(path, 'utf8')) ?? '')
  if (inputs.length === 0) throw refuse(`the file of entry number ${number} cannot be read or holds no PEM`)
  const isOpen = (mode & OPEN_TO_ALL) !== 0 && inputs.some((pem) => pem.includes('PRIVATE KEY'))
  return { inputs, openFile: isOpen ? path : null }
}

/** PEMs need no separator; paths end at a comma or at the end of a line. */
function entriesOf(value: string): string[] {
  const parts = splitPem(value)
  if (parts.some(({ kind, text }) => kind === 'other' && text.includes('-----'))) {
    throw refuse('a PEM in it is not complete')
  }
  return parts
    .flatMap((part) => (part.kind === 'pem' ? pemBlocks(part.text) : part.text.split(/[,\r\n]/)))
    .map((entry) => entry.trim())
    .filter((entry) => !/^(\\[nr])*$/.test(entry))
}

function readEntry(entry: string, index: number): Entry {
  if (entry === SHARED || entry.startsWith('-----BEGIN')) return { inputs: [entry], openFile: null }
  return readFile(entry, index + 1)
}

/**
 * Reads PEMs (their line breaks may be escaped) and paths of files with PEMs, with commas or line breaks between paths.
 * With `shared` in front, the secrets keep signing; at the end, they only verify. Null if the variable is not set.
 * @throws CONFIG_INVALID
 */
export function readTokenKeys(env: Environment): TokenKeySettings | null {
  const value = text(env, 'TOKEN_PRIVATE_KEY', '')
  if (value === '') return null
  const entries = entriesOf(value).map(readEntry)
  const inputs = entries.flatMap((entry) => entry.inputs)
  const openFiles = Object.freeze(entries.flatMap(({ openFile }) => openFile ?? []))
  return Object.freeze({ keys: checkSigningKeys(inputs, refuse), openFiles })
}
