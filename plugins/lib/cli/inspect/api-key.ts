import { existsSync } from 'node:fs'
import type { FoundApiKey } from '../../api-key/contract.js'
import { KeyFormat } from '../../api-key/format.js'
import { matches } from '../../api-key/lookup.js'
import { databaseFile } from '../../database/data-dir.js'
import type { Terminal } from '../command.js'
import { withAccounts } from '../open-accounts.js'
import type { Fault, Finding, InspectParts } from './finding.js'

/** Keys with the prefix of the user center. */
const format = new KeyFormat('fik')

const refused = (sentence: string): Fault => ({ code: 'CREDENTIAL_INVALID', sentence })
const MISTYPED = refused('Its check does not match: it was altered, or a part is missing.')
const UNKNOWN = refused('The database has no key with this id and secret.')
const EXPIRED: Fault = { code: 'CREDENTIAL_EXPIRED', sentence: 'It is genuine, but has expired.' }

const NOTHING = { kind: 'API key', keyId: null, content: null, expiresAt: null, subject: null } as const

/** Whether a text is an API key, or was one. */
export const looksLikeApiKey = (text: string): boolean => text.startsWith(format.start)

/** Reads the database of the server in the same environment. Creates none. */
async function find({ config }: InspectParts, terminal: Terminal, id: string): Promise<FoundApiKey | null> {
  if (config.databaseUrl === null && !existsSync(databaseFile(config.dataDir))) return null
  return withAccounts(terminal, (accounts) => accounts.apiKeys.find(id))
}

/** @throws CommandFailed, CONFIG_INVALID or DEPENDENCY_MISSING if the database cannot be used */
export async function inspectApiKey(parts: InspectParts, terminal: Terminal, text: string): Promise<Finding> {
  const id = format.idOf(text)
  if (id === null) return { ...NOTHING, fault: MISTYPED }
  const found = await find(parts, terminal, id)
  if (!found || !matches(text, found.key)) return { ...NOTHING, fault: UNKNOWN }
  const { key, account } = found
  const { name, scopes, expiresAt } = key
  const fault = parts.now >= expiresAt ? EXPIRED : null
  const content = { id, name, scopes, username: account?.username ?? null, role: account?.role ?? null }
  return { ...NOTHING, content, expiresAt, fault, subject: { kind: 'api-key', found } }
}
