import type { IncomingMessage } from 'node:http'

/**
 * How many lines of that name a request has. Of `Authorization` and `Host` Node keeps the first and drops the others:
 * only the raw list still shows them. An adapter of a serverless platform may hand over a request without that list,
 * which Node's types do not know of: 0.
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
