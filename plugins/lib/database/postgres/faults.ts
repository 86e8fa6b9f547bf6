/** What went wrong, as text alone. */
export class PostgresFault extends Error {
  constructor(
    message: string,
    /** SQLSTATE where PostgreSQL has answered, else the code of a system error, if any. */
    readonly code: string | undefined,
  ) {
    super(message)
  }
}

/**
 * The driver hangs on its errors the client with what it sends (hashes of passwords, the key that cancels), and
 * PostgreSQL the row that did not fit: both would go to the log with the cause.
 */
export function fault(error: unknown): PostgresFault {
  const { message, code }: { message?: unknown; code?: unknown } = Object(error)
  const codeText = typeof code === 'string' ? code : undefined
  // Of several addresses none of which could be reached there is a list, and no message.
  return new PostgresFault(String(message || codeText || error), codeText)
}

/** PostgreSQL, Appendix A. No code of a system error of five letters begins like that. */
const SQLSTATE = /^[0-9FHPX][0-9A-Z]{4}$/

/** It ends the connection: a shutdown, a crash, an administrator; or it is starting and takes none yet. */
const GOING_OR_COMING = /^57P/

/** read_only_sql_transaction: a primary that was demoted. Its name may lead to the new one by now. */
const DEMOTED = '25006'

/** in_failed_sql_transaction: what it was that failed was said before. */
const FAILED_BEFORE = '25P02'

/** Whether it says only that the transaction has failed already. */
export function isAftermath({ code }: PostgresFault): boolean {
  return code === FAILED_BEFORE
}

/** Whether PostgreSQL has answered, and the connection is as good as before. */
export function isAnswer({ code = '' }: PostgresFault): boolean {
  return SQLSTATE.test(code) && !GOING_OR_COMING.test(code) && code !== DEMOTED
}

/** too_many_connections: in a rolling deploy those of the processes that end come free. */
const FULL = '53300'

/** Whether there is nobody who answers now, so that trying again may help. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof PostgresFault)) return false
  const { code = '' } = error
  return GOING_OR_COMING.test(code) || code === FULL || !SQLSTATE.test(code)
}
