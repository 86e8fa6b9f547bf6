import type { FastifyBaseLogger } from 'fastify'
import { UsernameTaken } from '../errors.js'
import type { Accounts, NewAccount } from './contract.js'

/** Everybody who reads this knows them: for development on loopback only. */
const SEEDS: readonly NewAccount[] = [
  { username: 'admin', password: 'admin123', role: 'admin' },
  { username: 'user1', password: 'user123', role: 'user' },
]

/** Whether an account still has its well-known password. @throws STORE_UNAVAILABLE */
export async function hasSeedPassword(accounts: Accounts): Promise<boolean> {
  for (const { username, password } of SEEDS) {
    const exists = (await accounts.findByUsername(username)) !== null
    if (exists && (await accounts.verify(username, password))) return true
  }
  return false
}

/** Another process may seed the shared database at the same moment. */
async function createUnlessTaken(accounts: Accounts, account: NewAccount): Promise<void> {
  try {
    await accounts.create(account)
  } catch (error) {
    if (!(error instanceof UsernameTaken)) throw error
  }
}

/**
 * Adds the two well-known accounts to an empty database, and logs a warning.
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
