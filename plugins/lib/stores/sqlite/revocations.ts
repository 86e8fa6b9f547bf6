import { setImmediate as nextTurn } from 'node:timers/promises'
import type Database from 'libsql'
import type { SignInRef } from '../../contract.js'
import { RevocationList } from '../../revocation/list.js'
import type { Revocation } from '../../revocation/revocation.js'
import { UNKNOWN_REVISION } from '../rules.js'
import { type RevocationRow, readEnded, readLiveness, readNumber, readRaised, readSpared } from './rows.js'
import { PAGE, type PageName, type Statements } from './statements.js'

/*
 * A copy of the embedded file's revocation list in memory, so that a request needs no lookup in the file. A revocation of
 * this process enters the copy when it is committed. A write of another process (the command line) changes SQLite's data
 * version. Then each request looks in the file, until the list has been read again.
 */

const MAX = 1_000_000

/** How often the data version is read, in ms. Reading it for each request would take longer than the rest of the check. */
const LOOK_INTERVAL = 2
/** The same for a listener, who need not know at once. */
const LISTEN_INTERVAL = 50

/** Sorts before every key. */
const START: readonly [string, string] = ['', '']

/** One for each connection: a write over the same connection does not change the data version. */
const shared = new WeakMap<Database.Database, SqliteRevocations>()

export function revocationsOf(connection: Database.Database, statements: Statements): SqliteRevocations {
  const known = shared.get(connection)
  if (known) return known
  const made = new SqliteRevocations(statements)
  shared.set(connection, made)
  return made
}

export class SqliteRevocations {
  readonly #statements: Pick<Statements, 'get' | 'all'>
  readonly #list: RevocationList
  /** The data version at the last look, and when that was (ms, on the monotonic clock). */
  #seen: number | null = null
  #seenAt = Number.NEGATIVE_INFINITY
  /** The data version of the list in memory. */
  #held: number | null = null
  #isReading = false

  /** @param max how many revocations are kept in memory; beyond that each request looks in the file */
  constructor(statements: Pick<Statements, 'get' | 'all'>, max = MAX) {
    this.#statements = statements
    this.#list = new RevocationList(max)
  }

  /** @throws the driver's error, TypeError for a damaged file */
  isLive(ref: SignInRef): boolean {
    const verdict = this.#list.judge(ref)
    // An end is final, whatever else this process does not know yet.
    if (verdict === 'ended') return false
    return (verdict === 'live' && this.#isWhole()) || this.#ask(ref)
  }

  /** See StateStore. */
  revision(): number {
    return this.#isWhole() ? this.#list.revision : UNKNOWN_REVISION
  }

  /** See StateStore. Learns of another process's revocations when `isLive` or `revision` is called. */
  onRevoked(listener: () => void): () => void {
    return this.#list.onRevoked(listener)
  }

  /** See StateStore. */
  onForeignWrite(listener: () => void): () => void {
    let known: number | null = null
    const look = () => {
      try {
        const version = this.#dataVersion()
        if (known !== null && version !== known) listener()
        known = version
      } catch {
        // Requests meet the fault of the file, too, and report it.
      }
    }
    look()
    const timer = setInterval(look, LISTEN_INTERVAL).unref()
    return () => clearInterval(timer)
  }

  /** Adds stored revocations. */
  add(revocations: readonly Revocation[]): void {
    for (const [member, score, keep] of revocations) this.#list.put(member, score, Number(keep))
  }

  /** Drops entries that were to be kept until `upTo` (ms) at most. */
  async sweep(upTo: number): Promise<void> {
    await this.#list.sweep(upTo)
    if (this.#list.hasShrunk) this.#held = null
  }

  /** Whether the copy holds everything that any process has written. */
  #isWhole(): boolean {
    const now = performance.now()
    if (now - this.#seenAt >= LOOK_INTERVAL) {
      this.#seen = this.#dataVersion()
      this.#seenAt = now
    }
    if (this.#held === this.#seen) return this.#list.complete
    if (!this.#isReading) void this.#read()
    return false
  }

  #ask({ accountId, signInId, epoch, generation }: SignInRef): boolean {
    const found = readLiveness(this.#statements.get('liveness', signInId, accountId, accountId, signInId))
    if (found.generation !== null) this.#adopt(found.generation)
    if (found.generation !== generation || found.ended) return false
    return epoch >= found.raised || found.spared >= found.raised
  }

  /** Begins the copy of another list. */
  #adopt(generation: number): void {
    if (generation === this.#list.generation) return
    this.#list.adopt(generation)
    this.#held = null
  }

  #dataVersion(): number {
    return readNumber(this.#statements.get('dataVersion'))
  }

  /**
   * Reads the list page by page, so that no request waits for long. If that fails, the next check of the data version
   * starts it again.
   */
  async #read(): Promise<void> {
    this.#isReading = true
    try {
      const version = this.#dataVersion()
      const generation = readNumber(this.#statements.get('generation'))
      this.#list.adopt(generation)
      await this.#readTable('endedPage', readEnded)
      await this.#readTable('sparedPage', readSpared)
      await this.#readTable('epochPage', readRaised)
      if (this.#list.generation === generation) this.#held = version
    } catch {
      // Each request looks in the file meanwhile, and gets the error.
    } finally {
      this.#isReading = false
    }
  }

  async #readTable(name: PageName, read: (row: unknown) => RevocationRow): Promise<void> {
    let rows: RevocationRow[]
    let after = START
    do {
      rows = this.#statements.all(name, ...after).map(read)
      for (const { revocations } of rows) this.add(revocations)
      after = rows.at(-1)?.key ?? START
      await nextTurn()
    } while (rows.length === PAGE)
  }
}
