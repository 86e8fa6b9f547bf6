import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SignInRef } from '../../contract.js'
import type { EmbeddedDatabase } from '../../database/embedded.js'
import { raisedEpoch } from '../../revocation/revocation.js'
import { Batches } from '../batches.js'
import type { Rotation, SessionRecord, SignInRecord, StateStore } from '../contract.js'
import {
  CLOCK_MARGIN,
  isToEnd,
  isWithinLimits,
  newestFirst,
  newGeneration,
  rotate,
  rotatedState,
  SPENT_MARGIN,
  withinLimits,
} from '../rules.js'
import { SqliteEndings } from './endings.js'
import { revocationsOf, type SqliteRevocations } from './revocations.js'
import { readNumber, readSession, readSignIn, writeSession, writeSignIn } from './rows.js'
import { attempt, SIGN_IN_PAGE, Statements, SWEEP_BATCH, sweeps } from './statements.js'

/**
 * State in the embedded file, on the connection that it shares with the accounts. Several statements form one
 * synchronous transaction.
 */
export function createSqliteStore(database: EmbeddedDatabase): StateStore {
  return new SqliteStore(database)
}

class SqliteStore implements StateStore {
  readonly kind = 'sqlite'
  readonly #database: EmbeddedDatabase
  readonly #statements: Statements
  readonly #revocations: SqliteRevocations
  readonly #endings: SqliteEndings
  /** Groups the writes of last-seen times: there are many, and each commit waits for the disk. */
  readonly #seen = new Batches(async (writes: readonly (() => boolean)[]) =>
    this.#statements.atomically(() => writes.map((write) => write())),
  )

  constructor(database: EmbeddedDatabase) {
    this.#database = database
    this.#statements = new Statements(database.connection)
    this.#revocations = revocationsOf(database.connection, this.#statements)
    this.#endings = new SqliteEndings(this.#statements, this.#revocations)
  }

  generation() {
    return attempt(() => {
      const row = this.#statements.get('generation')
      return readNumber(row ?? this.#statements.get('makeGeneration', newGeneration()))
    })
  }

  revision(): number {
    return attempt(() => this.#revocations.revision())
  }

  isLive(ref: SignInRef) {
    return attempt(() => this.#revocations.isLive(ref))
  }

  onRevoked(listener: () => void) {
    return this.#revocations.onRevoked(listener)
  }

  onForeignWrite(listener: () => void) {
    return this.#revocations.onForeignWrite(listener)
  }

  async addSignIn(record: SignInRecord) {
    const { accountId, createdAt } = record
    return this.#statements.atomically(() => {
      this.#statements.run('dropPassed', accountId, createdAt - CLOCK_MARGIN)
      this.#statements.run('addSignIn', ...writeSignIn(record))
      return readNumber(this.#statements.get('countSignIns', accountId, createdAt))
    })
  }

  async findSignIn(accountId: string, id: string, now: number) {
    return attempt(() => withinLimits(this.#read(accountId, id), now))
  }

  async listSignIns(accountId: string, now: number) {
    const records: SignInRecord[] = []
    let rows: unknown[]
    let after: string | null = null
    do {
      rows = attempt(() => this.#statements.all('signInPage', accountId, after ?? '', after))
      const page = attempt(() => rows.flatMap((row) => readSignIn(accountId, row) ?? []))
      records.push(...page.filter((record) => isWithinLimits(record, now)))
      after = page.at(-1)?.id ?? after
      if (rows.length === SIGN_IN_PAGE) await nextTurn()
    } while (rows.length === SIGN_IN_PAGE)
    return newestFirst(records)
  }

  async touchSignIn(accountId: string, id: string, lastSeenAt: number, idleExpiresAt: number) {
    const touch = () => this.#statements.run('touchSignIn', lastSeenAt, idleExpiresAt, accountId, id) > 0
    // A moved limit must apply to the next request.
    return idleExpiresAt > lastSeenAt ? attempt(touch) : this.#seen.add(touch)
  }

  async rotateRefresh(accountId: string, id: string, rotation: Rotation) {
    return this.#statements.atomically(() => {
      const result = rotate(this.#read(accountId, id), rotation)
      if (result.outcome === 'rotated') {
        const { counter, keyId, rotatedAt } = rotatedState(rotation)
        this.#statements.run('setRefresh', counter, keyId, rotatedAt, accountId, id)
      }
      return result
    })
  }

  async resealSignIn({ accountId, id, seal: known = null }: SignInRecord, seal: string) {
    attempt(() => this.#statements.run('resealSignIn', seal, accountId, id, known))
  }

  async settleBinding(accountId: string, id: string, binding: string, now: number, replaced?: string) {
    return this.#statements.atomically(() => {
      this.#statements.run('settleBinding', binding, accountId, id, replaced ?? null, now)
      return withinLimits(this.#read(accountId, id), now)
    })
  }

  async endSignIn(accountId: string, id: string, until: number) {
    return this.#endings.end(accountId, id, until)
  }

  async endSignIns(accountId: string, except: string | null, now: number, belowEpoch?: number) {
    const all = await this.listSignIns(accountId, Number.NEGATIVE_INFINITY)
    const ending = all.filter((record) => isToEnd(record, except, belowEpoch))
    const ended = new Set(await this.#endings.endAll(ending))
    return ending.filter((record) => ended.has(record.id) && isWithinLimits(record, now)).map(({ id }) => id)
  }

  async raiseEpoch(accountId: string, epoch: number, spared: string | null, until: number) {
    this.#statements.atomically(() => {
      this.#statements.run('raiseEpoch', accountId, epoch, until)
      if (spared !== null) this.#statements.run('spare', accountId, spared, epoch, until)
    })
    this.#revocations.add(raisedEpoch(accountId, epoch, spared, until))
  }

  async createSession(key: string, record: SessionRecord) {
    return attempt(() => this.#statements.run('createSession', ...writeSession(record), key) > 0)
  }

  readSession(key: string, now: number) {
    return attempt(() => withinLimits(readSession(this.#statements.get('readSession', key)), now))
  }

  async replaceSession(key: string, record: SessionRecord) {
    return this.#statements.atomically(() => {
      const values = writeSession(record)
      if (this.#statements.run('replaceSession', ...values, key, record.version - 1) > 0) return 'replaced'
      return this.#statements.get('readSession', key) ? 'conflict' : 'gone'
    })
  }

  async touchSession(key: string, idleExpiresAt: number) {
    return attempt(() => this.#statements.run('touchSession', idleExpiresAt, key) > 0)
  }

  async destroySession(key: string) {
    return attempt(() => this.#statements.run('destroySession', key) > 0)
  }

  async spendOnce(key: string, until: number, now: number) {
    return this.#statements.atomically(() => {
      this.#statements.run('dropSpent', now - SPENT_MARGIN)
      return this.#statements.run('spend', key, until) === 1
    })
  }

  ping() {
    return this.#database.probe()
  }

  async sweep(now: number) {
    const upTo = now - CLOCK_MARGIN
    for (const [name, time] of sweeps(now, upTo)) {
      while (attempt(() => this.#statements.run(name, time)) === SWEEP_BATCH) await nextTurn()
    }
    await this.#revocations.sweep(upTo)
  }

  close() {
    return this.#database.close()
  }

  #read(accountId: string, id: string): SignInRecord | null {
    return readSignIn(accountId, this.#statements.get('findSignIn', accountId, id))
  }
}
