import type Database from 'libsql'
import type { SignInRef } from '../contract.js'
import { RevocationList } from '../near/revocation-list.js'
import { endedMember, epochMember, sparedMember } from './revocation-members.js'
import { readLiveness, readNumber, readPage } from './sqlite-rows.js'
import { PAGE, type Statements } from './sqlite-statements.js'

/*
 * The revocation list of the embedded file, in this process's memory as well, so that no request asks the file.
 * What this process ends is taken in when it is committed. What another one writes (the command line) shows in
 * SQLite's data version: from then on the file is asked, until all of the list has been read anew.
 */

/** How many revocations are kept in memory at most, at some 100 bytes each. Beyond that the file is asked. */
const MAX = 1_000_000

/** For how long, in ms, one look at the data version does: a look takes longer than all the rest. */
const LOOK_INTERVAL = 2

/** By connection: all who write over one connection must share a list, for the data version does not show it. */
const shared = new WeakMap<Database.Database, SqliteRevocations>()

export function revocationsOf(connection: Database.Database, statements: Statements): SqliteRevocations {
  const known = shared.get(connection)
  if (known) return known
  const made = new SqliteRevocations(statements)
  shared.set(connection, made)
  return made
}

export class SqliteRevocations {
  readonly #statements: Statements
  readonly #list = new RevocationList(MAX)
  /** The data version that was seen last, and when (ms, monotonic). */
  #seen: number | null = null
  #lookedAt = Number.NEGATIVE_INFINITY
  /** The data version whose list is in memory, all of it. */
  #held: number | null = null
  #reading = false

  constructor(statements: Statements) {
    this.#statements = statements
  }

  /** @throws what the driver throws */
  isLive(ref: SignInRef): boolean {
    const verdict = this.#list.judge(ref)
    // An end is never taken back: known is known, whether or not more has become known since.
    if (verdict === 'ended') return false
    return (verdict === 'live' && this.#isWhole()) || this.#ask(ref)
  }

  ended(signInId: string, until: number): void {
    this.#list.put(endedMember(signInId), until, 0)
  }

  raised(accountId: string, epoch: number, spared: string | null, until: number): void {
    if (spared !== null) this.#list.put(sparedMember(accountId, spared), -epoch, 0)
    this.#list.put(epochMember(accountId), -epoch, until)
  }

  async sweep(now: number): Promise<void> {
    await this.#list.sweep(now)
    if (this.#list.hasShrunk) this.#held = null
  }

  /** Whether everything that anybody has written is in memory. */
  #isWhole(): boolean {
    const now = performance.now()
    if (now - this.#lookedAt >= LOOK_INTERVAL) {
      this.#seen = this.#dataVersion()
      this.#lookedAt = now
    }
    if (this.#held === this.#seen) return this.#list.complete
    if (!this.#reading) void this.#read()
    return false
  }

  #ask({ accountId, signInId, epoch, generation }: SignInRef): boolean {
    const row = this.#statements.get('liveness', signInId, accountId, accountId, signInId)
    const list = readLiveness(row)
    // The first to ask after a start, or after the list was lost: from here on memory is asked.
    if (list.generation !== null) this.#adopt(list.generation)
    if (list.generation !== generation || list.ended) return false
    return epoch >= list.raised || list.spared >= list.raised
  }

  #adopt(generation: number): void {
    if (generation === this.#list.generation) return
    this.#list.adopt(generation)
    this.#held = null
  }

  #dataVersion(): number {
    return readNumber(this.#statements.get('dataVersion'))
  }

  /** Reads all of it, page by page, so that nobody waits for long; what fails is tried again with the next look. */
  async #read(): Promise<void> {
    this.#reading = true
    try {
      const version = this.#dataVersion()
      const generation = readNumber(this.#statements.get('generation'))
      this.#list.adopt(generation)
      await this.#readAll('endedPage', ([id], until) => this.ended(id, until))
      await this.#readAll('sparedPage', ([account, id], epoch) => this.raised(account, epoch, id, 0))
      await this.#readAll('epochPage', ([account], epoch, until) => this.raised(account, epoch, null, until))
      if (this.#list.generation === generation) this.#held = version
    } catch {
      // Whoever asks the file meanwhile is told what is wrong with it.
    } finally {
      this.#reading = false
    }
  }
}
