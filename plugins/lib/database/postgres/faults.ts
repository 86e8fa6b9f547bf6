/** A fault of PostgreSQL or its driver, as text only. */
export class PostgresFault extends Error {
  constructor(
    message: string,
    /** The SQLSTATE if PostgreSQL has answered, else the code of a system error, if any. */
    readonly code: string | undefined,
  ) {
    super(message)
  }
}

/**
 * The driver attaches the client with its data to its errors (password hashes, the cancel key), and PostgreSQL attaches
 * the row that did not fit. Both would go to the log with the cause.
 */
export function fault(error: unknown): PostgresFault {
  const { message, code }: { message?: unknown; code?: unknown } = Object(error)
  const codeText = typeof code === 'string' ? code : undefined
  // If none of several addresses could be reached, the error holds a list and no message.
  return new PostgresFault(String(message || codeText || error), codeText)
}

/** PostgreSQL, Appendix A. No system error code of five letters begins with these. */
const SQLSTATE = /^[0-9FHPX][0-9A-Z]{4}$/

/** PostgreSQL ends the connection (shutdown, crash, administrator), or is starting and accepts none yet. */
const GOING_OR_COMING = /^57P/

/** read_only_sql_transaction: a primary that was demoted. Its name may lead to the new one by now. */
const DEMOTED = '25006'

/** in_failed_sql_transaction: an earlier error names the failure. */
const FAILED_BEFORE = '25P02'

/** Whether the error only says that the transaction has already failed. */
export function isAftermath({ code }: PostgresFault): boolean {
  return code === FAILED_BEFORE
}

/** Whether PostgreSQL has answered, and the connection is still sound. */
export function isAnswer({ code = '' }: PostgresFault): boolean {
  return SQLSTATE.test(code) && !GOING_OR_COMING.test(code) && code !== DEMOTED
}

/** too_many_connections: in a rolling deploy, processes that end free theirs. */
const FULL = '53300'

/** Whether no server answers now, so that another attempt may help. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof PostgresFault)) return false
  const { code = '' } = error
  return GOING_OR_COMING.test(code) || code === FULL || !SQLSTATE.test(code)
}
