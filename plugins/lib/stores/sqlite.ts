import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SignInRef } from '../contract.js'
import type { EmbeddedDatabase } from '../database.js'
import { StoreUnavailable } from '../errors.js'
import type { Rotation, RotationResult, SessionRecord, SignInRecord, StateStore } from './contract.js'
import { GroupCommit } from './group-commit.js'
import { endedSignIn, raisedEpoch } from './revocation.js'
import {
  CLOCK_MARGIN,
  isToEnd,
  isWithinLimits,
  judgeRefresh,
  meetsTerms,
  newestFirst,
  newGeneration,
  revokedUntil,
  rotatedState,
} from './rules.js'
import { revocationsOf, type SqliteRevocations } from './sqlite-revocations.js'
import { readNumber, readSession, readSignIn, writeSession, writeSignIn } from './sqlite-rows.js'
import { type StatementName, Statements, SWEEP_BATCH } from './sqlite-statements.js'

/**
 * State in the embedded file, on the connection that it shares with the accounts. What answers at once does
 * so without a promise; what takes several statements is one synchronous transaction.
 */
export function createSqliteStore(database: EmbeddedDatabase): StateStore {
  return new SqliteStore(database)
}

const RECORDS: readonly StatementName[] = ['sweepSignIns', 'sweepSessions']
const REVOCATIONS: readonly StatementName[] = ['sweepEnded', 'sweepEpochs', 'sweepSpared']

class SqliteStore implements StateStore {
  readonly kind = 'sqlite'
  readonly #database: EmbeddedDatabase
  readonly #statements: Statements
  readonly #revocations: SqliteRevocations
  /** When sign-ins were seen last: with many people about there are many of these, and each commit waits for the disk. */
  readonly #seen = new GroupCommit((work) => this.#atomically(work))

  constructor(database: EmbeddedDatabase) {
    this.#database = database
    this.#statements = new Statements(database.connection)
    this.#revocations = revocationsOf(database.connection, this.#statements)
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

  async addSignIn(record: SignInRecord) {
    return this.#atomically(() => {
      this.#statements.run('dropPassed', record.accountId, record.createdAt)
      this.#statements.run('addSignIn', ...writeSignIn(record))
      return readNumber(this.#statements.get('countSignIns', record.accountId))
    })
  }

  async findSignIn(accountId: string, id: string, now: number) {
    return attempt(() => this.#find(accountId, id, now))
  }

  async listSignIns(accountId: string, now: number) {
    return attempt(() => this.#list(accountId, now))
  }

  async touchSignIn(accountId: string, id: string, lastSeenAt: number, idleExpiresAt: number) {
    const touch = () => this.#statements.run('touchSignIn', lastSeenAt, idleExpiresAt, accountId, id) > 0
    // A limit that is moved holds for the next request.
    return idleExpiresAt > lastSeenAt ? attempt(touch) : this.#seen.run(touch)
  }

  async rotateRefresh(accountId: string, id: string, rotation: Rotation) {
    return this.#atomically(() => this.#rotate(accountId, id, rotation))
  }

  async endSignIn(accountId: string, id: string, until: number) {
    const ended = this.#atomically(() => {
      const record = readSignIn(accountId, this.#statements.get('findSignIn', accountId, id))
      const kept = revokedUntil(record, until)
      this.#end(id, kept, record)
      return { existed: record !== null, kept }
    })
    this.#revocations.add([endedSignIn(id, ended.kept)])
    return ended.existed
  }

  async endSignIns(accountId: string, except: string | null, now: number, belowEpoch?: number) {
    const ended = this.#atomically(() => {
      const ending = this.#list(accountId, now).filter((record) => isToEnd(record, except, belowEpoch))
      for (const record of ending) this.#end(record.id, revokedUntil(record), record)
      return ending
    })
    this.#revocations.add(ended.map((record) => endedSignIn(record.id, revokedUntil(record))))
    return ended.map(({ id }) => id)
  }

  async raiseEpoch(accountId: string, epoch: number, spared: string | null, until: number) {
    this.#atomically(() => {
      this.#statements.run('raiseEpoch', accountId, epoch, until)
      if (spared !== null) this.#statements.run('spare', accountId, spared, epoch, until)
    })
    this.#revocations.add(raisedEpoch(accountId, epoch, spared, until))
  }

  async createSession(key: string, record: SessionRecord) {
    return attempt(() => this.#statements.run('createSession', ...writeSession(record), key) > 0)
  }

  readSession(key: string, now: number) {
    const record = attempt(() => readSession(this.#statements.get('readSession', key)))
    return record && isWithinLimits(record, now) ? record : null
  }

  async replaceSession(key: string, record: SessionRecord) {
    return this.#atomically(() => {
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

  ping() {
    return this.#database.probe()
  }

  async sweep(now: number) {
    await this.#drop(RECORDS, now)
    const upTo = now - CLOCK_MARGIN
    await this.#drop(REVOCATIONS, upTo)
    await this.#revocations.sweep(upTo)
  }

  close() {
    return this.#database.close()
  }

  async #drop(names: readonly StatementName[], upTo: number): Promise<void> {
    for (const name of names) {
      while (attempt(() => this.#statements.run(name, upTo)) === SWEEP_BATCH) await nextTurn()
    }
  }

  #find(accountId: string, id: string, now: number): SignInRecord | null {
    const record = readSignIn(accountId, this.#statements.get('findSignIn', accountId, id))
    return record && isWithinLimits(record, now) ? record : null
  }

  #list(accountId: string, now: number): SignInRecord[] {
    const rows = this.#statements.all('listSignIns', accountId)
    const records = rows.flatMap((row) => readSignIn(accountId, row) ?? [])
    return newestFirst(records.filter((record) => isWithinLimits(record, now)))
  }

  #rotate(accountId: string, id: string, rotation: Rotation): RotationResult {
    const record = this.#find(accountId, id, rotation.now)
    if (!record?.refresh) return { outcome: 'gone' }
    if (!meetsTerms(record, rotation.terms)) return { outcome: 'unmet', signIn: record }
    const outcome = judgeRefresh(record.refresh, rotation)
    if (outcome !== 'rotated') return { outcome, signIn: record }
    const refresh = rotatedState(rotation)
    const { counter, keyId, rotatedAt } = refresh
    this.#statements.run('setRefresh', counter, keyId, rotatedAt, accountId, id)
    return { outcome, signIn: Object.freeze({ ...record, refresh }) }
  }

  #end(id: string, until: number, record: SignInRecord | null): void {
    this.#statements.run('endSignIn', id, until)
    if (!record) return
    if (record.sessionKey !== null) this.#statements.run('destroySession', record.sessionKey)
    this.#statements.run('removeSignIn', record.accountId, id)
  }

  #atomically<T>(work: () => T): T {
    return attempt(() => this.#statements.atomically(work))
  }
}

/** @throws STORE_UNAVAILABLE when the file is busy for too long, closed, full, or damaged */
function attempt<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw new StoreUnavailable({ cause: error })
  }
}
