import { randomBytes } from 'node:crypto'
import type { CheckedAccount } from '../contract.js'
import type { AccountRow } from '../database/tables.js'
import { DisplayNameInvalid, UsernameInvalid, UsernameTaken } from '../errors.js'
import { createApiKeySource } from './api-keys.js'
import { type Context, changePassword, raiseEpoch, setPassword, update } from './changes.js'
import type {
  AccountChange,
  AccountDetails,
  Accounts,
  ListQuery,
  NewAccount,
  OwnProfile,
  Role,
} from './contract.js'
import { displayNameOf } from './display-names.js'
import { setEmail } from './emails.js'
import { createFactorSource } from './factors.js'
import { listAccounts } from './listing.js'
import { first, guarded, IDENTIFYING, SHOWN, toAccount, toDetails, toProfile, WITHOUT_EMAIL } from './rows.js'
import { canonicalUsername } from './usernames.js'

/** Reads hash and epoch together: a login that races a change gets the epoch of the hash that it matched. */
async function verify(context: Context, username: string, password: string) {
  const { db, passwords } = context
  const canonical = canonicalUsername(username)
  const row =
    canonical === null
      ? null
      : await first(
          db
            .selectFrom('accounts')
            .select([...IDENTIFYING, 'password_hash', 'disabled'])
            .where('canonical', '=', canonical),
        )
  const matches = await passwords.verify(row?.password_hash ?? null, password)
  if (!row || !matches || row.disabled !== 0) return null
  await renewHash(context, row, password)
  return toAccount(row)
}

/**
 * Hashes the right password again if its hash is weaker than today's. The password is the same, so no sign-in ends. A
 * hash that was changed meanwhile stays; a failure is retried at the next sign-in.
 */
async function renewHash(
  { db, passwords }: Context,
  { id, password_hash: outdated }: Pick<AccountRow, 'id' | 'password_hash'>,
  password: string,
): Promise<void> {
  if (!passwords.isOutdated(outdated)) return
  try {
    const password_hash = await passwords.hash(password)
    const row = db.updateTable('accounts').set({ password_hash })
    await row.where('id', '=', id).where('password_hash', '=', outdated).execute()
  } catch {
    // The hash queue is full, or the database failed. The password is still right.
  }
}

async function find({ db }: Context, id: string): Promise<OwnProfile | null> {
  // PostgreSQL rejects U+0000 with an error; no id contains it.
  if (id.includes('\0')) return null
  const row = await first(
    db
      .selectFrom('accounts')
      .select([...SHOWN, 'spared_sign_in', 'email'])
      .where('id', '=', id)
      .where('disabled', '=', 0),
  )
  if (!row) return null
  const { spared_sign_in: spared, email } = row
  return Object.freeze({ ...toProfile(row), spared, ...(email === null ? {} : { email }) })
}

async function findByUsername({ db }: Context, username: string): Promise<AccountDetails | null> {
  const canonical = canonicalUsername(username)
  if (canonical === null) return null
  const row = await first(db.selectFrom('accounts').select(SHOWN).where('canonical', '=', canonical))
  return row && toDetails(row)
}

/** The unique column decides if two callers create one name at once. */
async function create(context: Context, { username, password, role }: NewAccount): Promise<OwnProfile> {
  const canonical = canonicalUsername(username)
  if (canonical === null) throw new UsernameInvalid()
  const { db, passwords, clock } = context
  const password_hash = await passwords.hash(password)
  const now = clock()
  const row = await first(
    db
      .insertInto('accounts')
      .values({
        // 128 random bits: never reused, not even for a new account of the same name.
        id: randomBytes(16).toString('base64url'),
        username,
        canonical,
        password_hash,
        role,
        epoch: 1,
        distributed_epoch: 1,
        spared_sign_in: null,
        disabled: 0,
        avatar: null,
        display_name: null,
        ...WITHOUT_EMAIL,
        epoch_raised_at: 0,
        created_at: now,
        updated_at: now,
      })
      .onConflict((conflict) => conflict.column('canonical').doNothing())
      .returning(SHOWN),
  )
  if (!row) throw new UsernameTaken()
  return toProfile(row)
}

/** @see Accounts.setDisplayName */
async function setDisplayName({ db, clock }: Context, id: string, displayName: string | null) {
  const display_name = displayName === null ? null : displayNameOf(displayName)
  if (displayName !== null && display_name === null) throw new DisplayNameInvalid()
  const query = db.updateTable('accounts').set({ display_name, updated_at: clock() })
  const row = await first(query.where('id', '=', id).where('disabled', '=', 0).returning(SHOWN))
  return row && toProfile(row)
}

async function count({ db }: Context): Promise<number> {
  const query = db.selectFrom('accounts').select((accounts) => accounts.fn.countAll().as('total'))
  const { total } = await guarded(() => query.executeTakeFirstOrThrow())
  return Number(total)
}

const identifying = (account: CheckedAccount | null) => account && toAccount(account)

/** Accounts in the table `accounts` of a migrated database. */
export function createAccounts(context: Context): Accounts {
  return Object.freeze({
    apiKeys: createApiKeySource(context.db),
    factors: createFactorSource(context.db),
    verify: (username: string, password: string) => verify(context, username, password),
    isBusy: () => context.passwords.isBusy?.() ?? false,
    find: (id: string) => find(context, id),
    findByUsername: (username: string) => findByUsername(context, username),
    create: (account: NewAccount) => create(context, account),
    changePassword: (id: string, current: string, replacement: string, spare: string | null = null) =>
      changePassword(context, id, current, replacement, spare),
    setPassword: (id: string, replacement: string) => setPassword(context, id, replacement),
    raiseEpoch: (id: string) => raiseEpoch(context, id),
    update: (id: string, change: AccountChange) => update(context, id, change),
    setDisplayName: (id: string, displayName: string | null) => setDisplayName(context, id, displayName),
    setEmail: (id: string, email: string | null) => setEmail(context, id, email),
    setRole: (id: string, role: Role) => update(context, id, { role }).then(identifying),
    setDisabled: (id: string, disabled: boolean) => update(context, id, { disabled }).then(identifying),
    list: (query: ListQuery) => listAccounts(context.db, query),
    count: () => count(context),
    ping: async () => void (await (context.probe?.() ?? count(context))),
  })
}
