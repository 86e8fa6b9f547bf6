import type { SignInRecord, StateStore } from '../stores/contract.js'
import { refOfRecord } from './record.js'
import type { SealedRecords } from './sealed-records.js'

/** Some of an account's sign-ins. */
export interface SignInsPage {
  readonly signIns: readonly SignInRecord[]
  /** What to ask for as `after` to get the next page, or null after the last one. */
  readonly next: string | null
}

export interface SignInsQuery {
  /** At most so many. */
  readonly limit: number
  /** `next` of the page before. One that is none begins at the newest. */
  readonly after?: string | null | undefined
}

type Store = Pick<StateStore, 'isLive'>
type Records = Pick<SealedRecords, 'list'>

/** A login that raced the end of its account's sign-ins left a record of what was dead on arrival. */
async function liveOf(store: Store, records: readonly SignInRecord[]): Promise<SignInRecord[]> {
  const live = await Promise.all(records.map((record) => store.isLive(refOfRecord(record))))
  return records.filter((_, index) => live[index])
}

/** The account's live sign-ins, newest first. */
export async function listLive(
  store: Store,
  records: Records,
  accountId: string,
  now: number,
): Promise<SignInRecord[]> {
  return liveOf(store, await records.list(accountId, now))
}

/** Where a page ended: the sign-in may be gone by the time that the next one is asked for. */
const cursorOf = ({ createdAt, id }: SignInRecord) => `${createdAt.toString(36)}.${id}`

const CURSOR = /^([0-9a-z]{1,11})\.(.+)$/s

/** Whether a record comes after a page, in the order of the list: newest first, those of one instant by id. */
function isBehind(after: string | null): (record: SignInRecord) => boolean {
  const [, created = '', id = ''] = CURSOR.exec(after ?? '') ?? []
  if (id === '') return () => true
  const createdAt = Number.parseInt(created, 36)
  return (record) => record.createdAt < createdAt || (record.createdAt === createdAt && record.id > id)
}

/** A page of them: whether a sign-in is live is asked of no more than are shown. */
export async function pageLive(
  store: Store,
  records: Records,
  accountId: string,
  { limit, after = null }: SignInsQuery,
  now: number,
): Promise<SignInsPage> {
  const rest = (await records.list(accountId, now)).filter(isBehind(after))
  const found: SignInRecord[] = []
  for (let from = 0; found.length <= limit && from < rest.length; from += limit + 1) {
    found.push(...(await liveOf(store, rest.slice(from, from + limit + 1))))
  }
  const signIns = found.slice(0, limit)
  const last = found.length > limit ? signIns.at(-1) : undefined
  return Object.freeze({ signIns, next: last ? cursorOf(last) : null })
}
