import type { Migration } from 'kysely/migration'
import { accountEvents } from './account-events.js'
import { accounts, byteOrder, displayNames, distributedEpochs } from './accounts.js'
import { apiKeys } from './api-keys.js'
import { factors } from './factors.js'
import { mail } from './mail.js'
import { sealedSignIns, signInBindings, spentOnce, state, throttle } from './state.js'

/* Migrations run in the order of their names. A released one never changes. Both lists have those of accounts, keys,
 * events, mails and factors. */

/** Every migration of the embedded file. */
export const migrations: Record<string, Migration> = {
  '0001_accounts': accounts,
  '0002_state': state,
  '0003_distributed_epochs': distributedEpochs,
  '0004_throttle': throttle,
  '0005_sealed_sign_ins': sealedSignIns,
  '0006_api_keys': apiKeys,
  '0007_display_names': displayNames,
  '0008_account_events': accountEvents,
  '0009_sign_in_bindings': signInBindings,
  '0010_spent_once': spentOnce,
  '0011_mail': mail,
  '0012_factors': factors,
}

/** Every migration of a PostgreSQL database: it holds accounts, their API keys, events, mails and factors. */
export const postgresMigrations: Record<string, Migration> = {
  '0001_accounts': accounts,
  '0001_accounts_collation': byteOrder,
  '0003_distributed_epochs': distributedEpochs,
  '0006_api_keys': apiKeys,
  '0007_display_names': displayNames,
  '0008_account_events': accountEvents,
  '0011_mail': mail,
  '0012_factors': factors,
}
