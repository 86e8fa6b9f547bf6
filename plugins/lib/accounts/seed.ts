import type { FastifyBaseLogger } from 'fastify'
import { UsernameTaken } from '../errors.js'
import type { Accounts, NewAccount } from './contract.js'

/** Known to everybody who reads this: for development on loopback only. */
const SEEDS: readonly NewAccount[] = [
  { username: 'admin', password: 'admin123', role: 'admin' },
  { username: 'user1', password: 'user123', role: 'user' },
]

/** Whether anybody who has read this could sign in. @throws STORE_UNAVAILABLE */
export async function hasSeedPassword(accounts: Accounts): Promise<boolean> {
  for (const { username, password } of SEEDS) {
    const exists = (await accounts.findByUsername(username)) !== null
    if (exists && (await accounts.verify(username, password))) return true
  }
  return false
}

/** Another process that shares the database may seed it at the same moment. */
async function createUnlessTaken(accounts: Accounts, account: NewAccount): Promise<void> {
  try {
    await accounts.create(account)
  } catch (error) {
    if (!(error instanceof UsernameTaken)) throw error
  }
}

/**
 * Puts the two well-known accounts into an empty database, and says so in the log.
 * @returns whether it was empty
 * @throws STORE_UNAVAILABLE
 */
export async function seedDevelopmentAccounts(
  accounts: Accounts,
  log: Pick<FastifyBaseLogger, 'warn'>,
): Promise<boolean> {
  if ((await accounts.count()) > 0) return false
  for (const account of SEEDS) await createUnlessTaken(accounts, account)
  const names = SEEDS.map(({ username }) => username)
  log.warn({ accounts: names }, 'Development accounts with well-known passwords were created.')
  return true
}
