import { randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import { guarded } from '../accounts/rows.js'
import type { Clock } from '../contract.js'
import type { OutboxRow, Tables } from '../database/tables.js'
import type { MailMessage } from './contract.js'

/** How long a claimed row belongs to its claimer, in ms. So repeats of a mail are at least this far apart. */
export const CLAIM = 60_000
/** How long the row of a sent mail is kept, in ms: it counts for the limits. */
export const REMEMBERED = 3_600_000

const COLUMNS = [
  'id',
  'kind',
  'account_id',
  'details',
  'language',
  'created_at',
  'expires_at',
  'due_at',
  'attempts',
] as const
export type Claimed = Pick<OutboxRow, (typeof COLUMNS)[number]>

/** A mail to be sent. Its token or code is made when it is sent, so that the queue holds none. */
export interface NewMail {
  readonly kind: MailMessage['kind']
  readonly accountId: string | null
  readonly details: object
  readonly language: string
  /** How long it is worth sending, in ms. */
  readonly lifetime: number
}

export interface MailboxLimit {
  readonly kinds: readonly MailMessage['kind'][]
  /** Mails of all these kinds in an hour. */
  readonly most: number
}

/** One atomic statement. It does not count the mail itself, so a repeat is never refused for its first attempt. */
async function reserve(
  db: Kysely<Tables>,
  now: number,
  id: string,
  mailbox: string,
  { kinds, most }: MailboxLimit,
): Promise<boolean> {
  const others = db
    .selectFrom('outbox as others')
    .select((row) => row.fn.countAll<number>().as('total'))
    .where('others.mailbox', '=', mailbox)
    .where('others.kind', 'in', kinds)
    .where('others.id', '<>', id)
    .where((row) => row.or([row('others.sent_at', 'is', null), row('others.sent_at', '>', now - REMEMBERED)]))
  const query = db.updateTable('outbox').set({ mailbox }).where('id', '=', id)
  const taken = query.where(({ eb }) => eb(others, '<', most)).returning('id')
  return (await taken.executeTakeFirst()) !== undefined
}

/** The mails to be sent, in the table `outbox` beside the accounts. All methods throw STORE_UNAVAILABLE. */
export class Outbox {
  constructor(
    readonly db: Kysely<Tables>,
    readonly clock: Clock,
  ) {}

  /** The row of a new mail, with an id of 128 random bits. */
  newRow({ kind, accountId, details, language, lifetime }: NewMail): OutboxRow {
    const now = this.clock()
    return {
      id: randomBytes(16).toString('base64url'),
      kind,
      account_id: accountId,
      details: JSON.stringify(details),
      language,
      created_at: now,
      expires_at: now + lifetime,
      due_at: now,
      attempts: 0,
      sent_at: null,
      mailbox: null,
    }
  }

  async add(mail: NewMail): Promise<void> {
    const query = this.db.insertInto('outbox').values(this.newRow(mail))
    await guarded(() => query.execute())
  }

  /** Claims due mails, the oldest first. No other process gets them within `CLAIM`. */
  async claim(most: number): Promise<Claimed[]> {
    const { db } = this
    const now = this.clock()
    const due = db
      .selectFrom('outbox')
      .select('id')
      .where('sent_at', 'is', null)
      .where('due_at', '<=', now)
      .where('expires_at', '>', now)
      .orderBy('due_at')
      .limit(most)
    const free = db.getExecutor().adapter.supportsMultipleConnections ? due.forUpdate().skipLocked() : due
    const query = db
      .updateTable('outbox')
      .set((row) => ({ due_at: now + CLAIM, attempts: row('attempts', '+', 1) }))
      .where('id', 'in', free)
      .returning(COLUMNS)
    return guarded(() => query.execute())
  }

  /** Marks a mail as sent, and deletes its details. The row stays, so that it counts for the limits. */
  async sent(id: string): Promise<void> {
    const values = { sent_at: this.clock(), details: '{}' }
    await guarded(() => this.db.updateTable('outbox').set(values).where('id', '=', id).execute())
  }

  /** Gives up a mail. Its row still counts for its account. Otherwise the account could ask for any number of mails. */
  async drop(id: string): Promise<void> {
    const { db } = this
    await guarded(() =>
      db.deleteFrom('outbox').where('id', '=', id).where('account_id', 'is', null).execute(),
    )
    const values = { sent_at: this.clock(), details: '{}', mailbox: null }
    await guarded(() => db.updateTable('outbox').set(values).where('id', '=', id).execute())
  }

  /**
   * Counts the mail for its mailbox, unless the mailbox has reached the hourly limit.
   * @returns false if it has reached the limit for mails of these kinds
   */
  async reserve(id: string, mailbox: string, limit: MailboxLimit): Promise<boolean> {
    const { db, clock } = this
    return guarded(async () => {
      if (!db.getExecutor().adapter.supportsMultipleConnections)
        return reserve(db, clock(), id, mailbox, limit)
      const { sql } = await import('kysely')
      return db.transaction().execute(async (transaction) => {
        // Otherwise parallel senders would not see each other's mails.
        await sql`SELECT pg_advisory_xact_lock(hashtextextended(${mailbox}, 0))`.execute(transaction)
        return reserve(transaction, clock(), id, mailbox, limit)
      })
    })
  }

  /** Deletes rows and tokens that are no longer needed. @returns how many mails were dropped unsent */
  async sweep(): Promise<number> {
    const now = this.clock()
    const { db } = this
    const unsent = db.deleteFrom('outbox').where('sent_at', 'is', null).where('expires_at', '<=', now)
    const dropped = await guarded(() => unsent.executeTakeFirst())
    await guarded(() =>
      db
        .deleteFrom('outbox')
        .where('sent_at', '<=', now - REMEMBERED)
        .execute(),
    )
    await guarded(() => db.deleteFrom('reset_tokens').where('expires_at', '<=', now).execute())
    return Number(dropped.numDeletedRows)
  }
}
