import type { FastifyRequest } from 'fastify'

/*
 * The mark in the query of a request that was redirected to make a fresh proof. A marked request is not redirected again.
 */

const MARK = 'device_proof'
const MARKED = 'asked'
const PAIR = `${MARK}=${MARKED}`

/** Removes the mark from the query, because a schema of the route could refuse it. @returns whether it was there */
export function takeMark({ query }: FastifyRequest): boolean {
  if (typeof query !== 'object' || query === null || Reflect.get(query, MARK) !== MARKED) return false
  return Reflect.deleteProperty(query, MARK)
}

/**
 * The same address, marked. A query alone keeps the browser's path, which a proxy may have shortened for the server.
 */
export function markedAddress({ originalUrl }: FastifyRequest): string {
  const at = originalUrl.indexOf('?')
  const query = at === -1 ? '' : originalUrl.slice(at + 1)
  return `?${query}${query === '' ? '' : '&'}${PAIR}`
}

/** The address before it was marked. */
export function unmarked(url: string): string {
  if (!url.includes(PAIR)) return url
  const [path = '', ...rest] = url.split('?')
  const pairs = rest.join('?').split('&')
  const query = pairs.filter((pair) => pair !== PAIR).join('&')
  return query === '' ? path : `${path}?${query}`
}
