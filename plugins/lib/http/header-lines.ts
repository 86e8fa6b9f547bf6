import type { IncomingMessage } from 'node:http'

/**
 * How many lines of that name a request has. Node keeps the first `Authorization` and `Host` and drops the others, so
 * only the raw list shows them. 0 without a raw list. Some serverless adapters have none, although Node's types promise
 * one.
 * @param name in lower case
 */
export function countHeaderLines(raw: Pick<IncomingMessage, 'rawHeaders'>, name: string): number {
  const list: readonly string[] | undefined = raw.rawHeaders
  let lines = 0
  for (let index = 0; index < (list?.length ?? 0); index += 2) {
    const other = list?.[index]
    if (other?.length === name.length && other.toLowerCase() === name) lines++
  }
  return lines
}
