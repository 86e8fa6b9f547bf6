import type { AccountsOptions, OwnAccountsOptions, PostgresAccountsOptions } from './accounts/options.js'
import type { AccountId, AccountSource, Clock } from './contract.js'
import { OptionInvalid } from './errors.js'
import type { StoresOptions } from './stores/options.js'

export type BuiltInMode = 'token' | 'session' | 'cookie'

type OfDatabase = 'pool' | 'passwordWords' | 'hashesAtOnce' | 'events' | 'mail'

/** The application's own accounts, or where the suite's are. */
export type SuiteAccounts =
  | AccountSource<AccountId>
  | Pick<OwnAccountsOptions, 'dataDir' | Exclude<OfDatabase, 'pool'>>
  | Pick<PostgresAccountsOptions, 'databaseUrl' | OfDatabase>

const ALL_MODES: readonly BuiltInMode[] = ['token', 'session', 'cookie']

/** The options of the suite that are checked here. Its plugins check their own. */
interface Checked extends Readonly<Partial<Record<BuiltInMode, object>>> {
  readonly accounts: SuiteAccounts
  readonly state: StoresOptions
  readonly modes?: readonly BuiltInMode[]
  readonly clock?: Clock
}

/** Which modes to register. @throws OPTION_INVALID for an unknown mode, or for options of another mode */
export function checkModes(options: Checked): readonly BuiltInMode[] {
  const modes = options.modes ?? ALL_MODES
  if (!Array.isArray(modes) || modes.length === 0 || !modes.every((name) => ALL_MODES.includes(name))) {
    throw new OptionInvalid('modes', 'wants some of "token", "session" and "cookie"')
  }
  for (const name of ALL_MODES) {
    if (options[name] && !modes.includes(name))
      throw new OptionInvalid(name, 'would do nothing: its mode is not in modes')
  }
  return modes
}

const WANTS_ACCOUNTS = 'wants { verify, find }, { dataDir } or { databaseUrl }'

/** @throws OPTION_INVALID */
export function accountsOptions({ accounts: given, clock }: Checked): AccountsOptions {
  if (typeof given !== 'object' || given === null) {
    throw new OptionInvalid('accounts', WANTS_ACCOUNTS)
  }
  if ('dataDir' in given || 'databaseUrl' in given) return { ...given, clock }
  for (const name of ['verify', 'find'] as const) {
    if (typeof given[name] !== 'function')
      throw new OptionInvalid('accounts', `${WANTS_ACCOUNTS}; it has no function ${name}`)
  }
  return { source: given }
}

/** @throws OPTION_INVALID */
export function storesOptions({ state, clock }: Checked): StoresOptions {
  if (typeof state !== 'object' || state === null) {
    throw new OptionInvalid(
      'state',
      'wants { dataDir }, { redisUrl }, { redis }, { store } or { memory: true }',
    )
  }
  return 'store' in state ? state : { clock, ...state }
}
