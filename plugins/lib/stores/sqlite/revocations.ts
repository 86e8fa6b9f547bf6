import { setImmediate as nextTurn } from 'node:timers/promises'
import type Database from 'libsql'
import type { SignInRef } from '../../contract.js'
import { RevocationList } from '../../revocation/list.js'
import type { Revocation } from '../../revocation/revocation.js'
import { UNKNOWN_REVISION } from '../rules.js'
import { type RevocationRow, readEnded, readLiveness, readNumber, readRaised, readSpared } from './rows.js'
import { PAGE, type PageName, type Statements } from './statements.js'

/*
 * The revocation list of the embedded file, in this process's memory as well, so that a request asks the file
 * nothing. What this process revokes is taken in when it is committed. What another one writes (the command line)
 * shows in SQLite's data version: from then on the file is asked, until the list has been read anew.
 */

const MAX = 1_000_000

/** For how long one look at the data version does, in ms: a look takes longer than all the rest. */
const LOOK_INTERVAL = 2

/** Before every key. */
const START: readonly [string, string] = ['', '']

/** By connection: who writes over the same one is no stranger to it, and changes no data version. */
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
  /** The data version that was seen last, and when (ms, on the monotonic clock). */
  #seen: number | null = null
  #seenAt = Number.NEGATIVE_INFINITY
  /** The data version whose whole list is in memory. */
  #held: number | null = null
  #isReading = false

  /** @param max how many revocations are kept in memory at most; beyond that the file is asked */
  constructor(statements: Pick<Statements, 'get' | 'all'>, max = MAX) {
    this.#statements = statements
    this.#list = new RevocationList(max)
  }

  /** @throws what the driver throws, TypeError for a damaged file */
  isLive(ref: SignInRef): boolean {
    const verdict = this.#list.judge(ref)
    // An end is never taken back: known is known, whatever else is not known yet.
    if (verdict === 'ended') return false
    return (verdict === 'live' && this.#isWhole()) || this.#ask(ref)
  }

  /** See StateStore. */
  revision(): number {
    return this.#isWhole() ? this.#list.revision : UNKNOWN_REVISION
  }

  /** Takes in what was stored. */
  add(revocations: readonly Revocation[]): void {
    for (const [member, score, keep] of revocations) this.#list.put(member, score, Number(keep))
  }

  /** Drops what was to be kept until `upTo` (ms). */
  async sweep(upTo: number): Promise<void> {
    await this.#list.sweep(upTo)
    if (this.#list.hasShrunk) this.#held = null
  }

  /** Whether all that anybody has written is in memory. */
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

  /** From here on it is this list that memory speaks of. */
  #adopt(generation: number): void {
    if (generation === this.#list.generation) return
    this.#list.adopt(generation)
    this.#held = null
  }

  #dataVersion(): number {
    return readNumber(this.#statements.get('dataVersion'))
  }

  /** Reads it, page by page, so that nobody waits for long. Where that fails, the next look begins it anew. */
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
      // Whoever asks the file meanwhile is told what is wrong with it.
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
