import type { MaybePromise } from '../contract.js'
import type { SignInRecord } from '../stores/contract.js'

/** A page of an account's sign-ins. */
export interface SignInsPage {
  readonly signIns: readonly SignInRecord[]
  /** Pass it as `after` to get the next page. Null on the last page. */
  readonly next: string | null
}

export interface SignInsQuery {
  /** The size of the page. */
  readonly limit: number
  /** `next` of the page before. Anything else begins at the newest. */
  readonly after?: string | null | undefined
}

/** The records of an account's sign-ins, wherever they are kept. */
export interface ListedRecords {
  find(accountId: string, id: string, now: number): Promise<SignInRecord | null>
  /** Newest first. */
  list(accountId: string, now: number): Promise<SignInRecord[]>
  isLive(record: SignInRecord): MaybePromise<boolean>
}

/** A login that raced the end of all sign-ins may have left a record that was never live. */
async function liveOf(all: ListedRecords, records: readonly SignInRecord[]): Promise<SignInRecord[]> {
  const live = await Promise.all(records.map((record) => all.isLive(record)))
  return records.filter((_, index) => live[index])
}

/** Newest first. */
export async function listLive(all: ListedRecords, accountId: string, now: number): Promise<SignInRecord[]> {
  return liveOf(all, await all.list(accountId, now))
}

/** Marks the end of a page. The sign-in may have ended by the next request. */
const cursorOf = ({ createdAt, id }: SignInRecord) => `${createdAt.toString(36)}.${id}`

const CURSOR = /^([0-9a-z]{1,11})\.(.+)$/s

/** Whether a record comes after a page. The list is newest first, and by id for equal times. */
function isBehind(after: string | null): (record: SignInRecord) => boolean {
  const [, created = '', id = ''] = CURSOR.exec(after ?? '') ?? []
  if (id === '') return () => true
  const createdAt = Number.parseInt(created, 36)
  return (record) => record.createdAt < createdAt || (record.createdAt === createdAt && record.id > id)
}

/** Checks liveness only for as many sign-ins as the page needs. */
export async function pageLive(
  all: ListedRecords,
  accountId: string,
  { limit, after = null }: SignInsQuery,
  now: number,
): Promise<SignInsPage> {
  const rest = (await all.list(accountId, now)).filter(isBehind(after))
  const found: SignInRecord[] = []
  for (let from = 0; found.length <= limit && from < rest.length; from += limit + 1) {
    found.push(...(await liveOf(all, rest.slice(from, from + limit + 1))))
  }
  const signIns = found.slice(0, limit)
  const last = found.length > limit ? signIns.at(-1) : undefined
  return Object.freeze({ signIns, next: last ? cursorOf(last) : null })
}
