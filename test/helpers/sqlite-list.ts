import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import Database from 'libsql'
import type { Test } from 'tap'
import type { SignInRef } from '../../plugins/lib/contract.js'
import { type EmbeddedDatabase, openDatabase } from '../../plugins/lib/database/embedded.js'
import type { StateStore } from '../../plugins/lib/stores/contract.js'
import { revocationsOf, SqliteRevocations } from '../../plugins/lib/stores/sqlite/revocations.js'
import { type StatementName, Statements } from '../../plugins/lib/stores/sqlite/statements.js'
import { createSqliteStore } from '../../plugins/lib/stores/sqlite/store.js'

type Value = string | number | null

/** Statements over one connection that count how often each was run, and let a test in before it. */
export class WatchedStatements extends Statements {
  readonly counts: Partial<Record<StatementName, number>> = {}
  before: (name: StatementName) => void = () => {}

  override get(name: StatementName, ...values: Value[]): unknown {
    this.#note(name)
    return super.get(name, ...values)
  }

  override all(name: StatementName, ...values: Value[]): unknown[] {
    this.#note(name)
    return super.all(name, ...values)
  }

  #note(name: StatementName): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1
    this.before(name)
  }
}

export interface OpenedList {
  readonly file: string
  readonly database: EmbeddedDatabase
  readonly store: StateStore
  /** Another process's connection, as far as SQLite can tell. */
  readonly foreign: EmbeddedDatabase['connection']
  readonly statements: WatchedStatements
  readonly list: SqliteRevocations
  readonly generation: number
  ref(signInId: string, epoch?: number, accountId?: string): SignInRef
  /** How often the list has asked the file about a sign-in. */
  asked(): number
}

/** A list over a file of its own, and the store that it is the list of, unless there is a `max`. */
export async function openList(t: Test, max?: number): Promise<OpenedList> {
  const directory = mkdtempSync(join(tmpdir(), 'sqlite-list-'))
  const file = join(directory, 'identity.db')
  const database = await openDatabase(file)
  const { connection } = database
  connection.pragma('synchronous = OFF')
  const statements = new WatchedStatements(connection)
  const list =
    max === undefined ? revocationsOf(connection, statements) : new SqliteRevocations(statements, max)
  const store = createSqliteStore(database)
  const foreign = new Database(file, { timeout: 1000 })
  foreign.pragma('synchronous = OFF')
  t.teardown(async () => {
    await store.close()
    foreign.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const generation = await store.generation()
  const ref = (signInId: string, epoch = 1, accountId = 'a') => ({ accountId, signInId, epoch, generation })
  const asked = () => statements.counts.liveness ?? 0
  return { file, database, store, foreign, statements, list, generation, ref, asked }
}

/** Longer than one look at the data version does. */
export const aLook = () => delay(5)

/** Until memory alone answers for a generation: it has read all of the list by then. */
export async function settle({ list, ref, asked }: OpenedList, generation?: number): Promise<void> {
  const whoever = ref('whoever', 1, 'nobody')
  for (let unasked = 0; unasked < 3; ) {
    await aLook()
    const before = asked()
    list.isLive({ ...whoever, generation: generation ?? whoever.generation })
    unasked = asked() === before ? unasked + 1 : 0
  }
}

export const END = 'INSERT INTO ended_sign_ins VALUES (?, ?)'
export const RAISE = 'INSERT INTO raised_epochs VALUES (?, ?, ?)'
export const SPARE = 'INSERT INTO spared_sign_ins VALUES (?, ?, ?, ?)'
/** A time that has not passed, in ms. */
export const LATER = 5000
