import { randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { CheckedAccount, Clock } from '../contract.js'
import type { AccountRow, Tables } from '../database.js'
import { UsernameInvalid, UsernameTaken } from '../errors.js'
import type { Passwords } from '../passwords.js'
import { canonicalUsername } from '../usernames.js'
import type {
  AccountDetails,
  AccountPage,
  Accounts,
  NewAccount,
  OwnProfile,
  RaisedAccount,
  Role,
} from './contract.js'
import { first, guarded } from './queries.js'
import { IDENTIFYING, SHOWN, toAccount, toDetails, toProfile } from './rows.js'

interface Context {
  readonly db: Kysely<Tables>
  readonly passwords: Passwords
  readonly clock: Clock
  /** Runs after a change that ends the account's sign-ins, before the change is answered. */
  readonly onRaised?: (raised: RaisedAccount) => Promise<void>
}

/** Hash and epoch come from one row read once: a login that races a change carries the epoch of its hash. */
async function verify({ db, passwords }: Context, username: string, password: string) {
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
  return row && matches && row.disabled === 0 ? toAccount(row) : null
}

async function find({ db }: Context, id: string): Promise<OwnProfile | null> {
  const row = await first(
    db.selectFrom('accounts').select(SHOWN).where('id', '=', id).where('disabled', '=', 0),
  )
  return row && toProfile(row)
}

async function findByUsername({ db }: Context, username: string): Promise<AccountDetails | null> {
  const canonical = canonicalUsername(username)
  if (canonical === null) return null
  const row = await first(db.selectFrom('accounts').select(SHOWN).where('canonical', '=', canonical))
  return row && toDetails(row)
}

/** Of two who ask for one name at once, the unique column lets one through. */
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
        // 128 random bits: never given out again, also when the account of that name is made anew.
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
        created_at: now,
        updated_at: now,
      })
      .onConflict((conflict) => conflict.column('canonical').doNothing())
      .returning(SHOWN),
  )
  if (!row) throw new UsernameTaken()
  return toProfile(row)
}

type Change = Partial<Pick<AccountRow, 'password_hash' | 'role' | 'disabled' | 'spared_sign_in'>>

/** The change and the end of every sign-in issued before it, in one statement. Who was spared before is not. */
function change({ db, clock }: Context, id: string, values: Change) {
  return db
    .updateTable('accounts')
    .set({ spared_sign_in: null, ...values })
    .set((row) => ({ epoch: row('epoch', '+', 1), updated_at: clock() }))
    .where('id', '=', id)
    .returning([...IDENTIFYING, 'spared_sign_in'])
}

async function raised(
  { onRaised }: Context,
  row: (CheckedAccount & Pick<AccountRow, 'spared_sign_in'>) | null,
): Promise<CheckedAccount | null> {
  if (!row) return null
  const account = toAccount(row)
  await onRaised?.({ account, spare: row.spared_sign_in })
  return account
}

async function changePassword(
  context: Context,
  id: string,
  current: string,
  replacement: string,
  spared_sign_in: string | null,
) {
  const { db, passwords } = context
  const stored = await first(
    db.selectFrom('accounts').select('password_hash').where('id', '=', id).where('disabled', '=', 0),
  )
  if (!(await passwords.verify(stored?.password_hash ?? null, current)) || !stored) return null
  const password_hash = await passwords.hash(replacement)
  // Of two changes that were granted on one old password, the second finds another hash, and loses.
  const changed = await first(
    change(context, id, { password_hash, spared_sign_in })
      .where('password_hash', '=', stored.password_hash)
      .where('disabled', '=', 0),
  )
  return raised(context, changed)
}

async function set(context: Context, id: string, values: Change): Promise<CheckedAccount | null> {
  return raised(context, await first(change(context, id, values)))
}

async function list({ db }: Context, limit: number, after: string | null): Promise<AccountPage> {
  const sorted = db
    .selectFrom('accounts')
    .select(SHOWN)
    .orderBy('canonical')
    .limit(limit + 1)
  // PostgreSQL takes no U+0000. No name holds one, so that what follows it makes no difference.
  const query = after === null ? sorted : sorted.where('canonical', '>', after.replace(/\0.*/s, ''))
  const rows = await guarded(() => query.execute())
  const page = rows.slice(0, limit)
  const last = rows.length > limit ? page.at(-1) : undefined
  return Object.freeze({ accounts: page.map(toDetails), next: last?.canonical ?? null })
}

async function count({ db }: Context): Promise<number> {
  const query = db.selectFrom('accounts').select((accounts) => accounts.fn.countAll().as('total'))
  const { total } = await guarded(() => query.executeTakeFirstOrThrow())
  return Number(total)
}

/** Accounts in the table `accounts` of a migrated database. */
export function createAccounts(context: Context): Accounts {
  return Object.freeze({
    verify: (username: string, password: string) => verify(context, username, password),
    find: (id: string) => find(context, id),
    findByUsername: (username: string) => findByUsername(context, username),
    create: (account: NewAccount) => create(context, account),
    changePassword: (id: string, current: string, replacement: string, spare: string | null = null) =>
      changePassword(context, id, current, replacement, spare),
    raiseEpoch: (id: string) => set(context, id, {}),
    setRole: (id: string, role: Role) => set(context, id, { role }),
    setDisabled: (id: string, disabled: boolean) => set(context, id, { disabled: disabled ? 1 : 0 }),
    list: (page: { limit: number; after?: string | null }) => list(context, page.limit, page.after ?? null),
    count: () => count(context),
  })
}
