import { setImmediate as nextTurn } from 'node:timers/promises'
import { endedSignIn } from '../../revocation/revocation.js'
import type { SignInRecord } from '../contract.js'
import { revokedUntil } from '../rules.js'
import type { SqliteRevocations } from './revocations.js'
import { readSignIn } from './rows.js'
import { END_BATCH, type Statements } from './statements.js'

/** Ends sign-ins. One transaction revokes them and removes their records and sessions. */
export class SqliteEndings {
  constructor(
    private readonly statements: Statements,
    private readonly revocations: SqliteRevocations,
  ) {}

  /** @returns whether there was a record */
  end(accountId: string, id: string, until: number): boolean {
    const { existed, kept } = this.statements.atomically(() => {
      const record = readSignIn(accountId, this.statements.get('findSignIn', accountId, id))
      const kept = revokedUntil(record, until)
      this.statements.run('endSignIn', id, kept)
      return { existed: record !== null && this.#remove(record), kept }
    })
    this.revocations.add([endedSignIn(id, kept)])
    return existed
  }

  /**
   * Ends them in slices, each in one transaction: thousands in one would block the event loop. If a slice fails, the
   * slices before it have ended.
   * @returns the ids, except those that were ended elsewhere meanwhile
   */
  async endAll(records: readonly SignInRecord[]): Promise<string[]> {
    const ended: string[] = []
    for (let from = 0; from < records.length; from += END_BATCH) {
      if (from > 0) await nextTurn()
      ended.push(...this.#endBatch(records.slice(from, from + END_BATCH)))
    }
    return ended
  }

  #endBatch(batch: readonly SignInRecord[]): string[] {
    const ended = this.statements.atomically(() => {
      for (const record of batch) this.statements.run('endSignIn', record.id, revokedUntil(record))
      return batch.filter((record) => this.#remove(record))
    })
    this.revocations.add(batch.map((record) => endedSignIn(record.id, revokedUntil(record))))
    return ended.map(({ id }) => id)
  }

  #remove({ accountId, id, sessionKey }: SignInRecord): boolean {
    if (sessionKey !== null) this.statements.run('destroySession', sessionKey)
    return this.statements.run('removeSignIn', accountId, id) > 0
  }
}
