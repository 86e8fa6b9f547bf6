import t, { type Test } from 'tap'
import { EventLog } from '../../../../plugins/lib/accounts/event-log.js'
import { eventRow, insertEvents, KEPT_EVENTS, listEvents } from '../../../../plugins/lib/accounts/events.js'
import type { AuditEvent } from '../../../../plugins/lib/audit.js'
import { openDatabase } from '../../../../plugins/lib/database/embedded.js'
import { openPostgres } from '../../../../plugins/lib/database/postgres/database.js'
import type { AccountEventRow } from '../../../../plugins/lib/database/tables.js'
import { StoreUnavailable } from '../../../../plugins/lib/errors.js'
import { PATIENT, startPostgres } from '../../../helpers/postgres-server.js'

type Open = (t: Test) => Promise<Pick<Awaited<ReturnType<typeof openDatabase>>, 'kysely'>>

const signedIn = (accountId: string, time: number, signInId = 's'): AuditEvent => {
  const event = { type: 'signed_in', accountId, signInId, mode: 'cookie' } as const
  return { ...event, time, ip: '203.0.113.7' }
}
const signedOut = (accountId: string, time: number): AuditEvent => ({
  ...({ type: 'signed_out', accountId, signInId: 's', mode: 'cookie' } as const),
  ...{ time, ip: '203.0.113.7' },
})
const rowsOf = (events: readonly AuditEvent[]): AccountEventRow[] =>
  events.flatMap((event) => eventRow(event) ?? [])
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)

function testEvents(t: Test, open: Open): void {
  t.test('the events of an account are listed with the newest first, and of no other account', async (t) => {
    const { kysely } = await open(t)
    const events = [
      signedIn('a', 1, 'first'),
      signedIn('a', 1, 'second'),
      signedOut('a', 0),
      signedIn('b', 2),
    ]
    await insertEvents(kysely, rowsOf(events))
    const shown = { ip: '203.0.113.7', time: 1, type: 'signed_in' }
    t.same(await listEvents(kysely, 'a'), [
      { ...shown, details: { signInId: 'second', mode: 'cookie' } },
      { ...shown, details: { signInId: 'first', mode: 'cookie' } },
      { ...shown, details: { signInId: 's', mode: 'cookie' }, time: 0, type: 'signed_out' },
    ])
    t.match(await listEvents(kysely, 'a', { type: 'signed_out' }), [{ time: 0 }])
    t.match(await listEvents(kysely, 'a', { limit: 1 }), [{ details: { signInId: 'second' } }])
    t.equal((await listEvents(kysely, 'a', { limit: 1 })).length, 1)
    for (const nobody of ['', 'c', 'a\0', "' OR 1=1 --"]) t.same(await listEvents(kysely, nobody), [])
  })

  t.test('each account keeps the newest of each type', async (t) => {
    const { kysely } = await open(t)
    await insertEvents(kysely, rowsOf([signedIn('a', 5), signedIn('b', 5)]))
    await insertEvents(kysely, rowsOf(numbers(2 * KEPT_EVENTS).map((time) => signedOut('a', time))))
    t.match(await listEvents(kysely, 'a', { type: 'signed_in' }), [{ time: 5 }], 'sign-outs do not hide it')
    await insertEvents(kysely, rowsOf(numbers(KEPT_EVENTS).map((index) => signedIn('a', 100 + index))))
    const kept = await kysely.selectFrom('account_events').select(['account_id', 'type', 'time']).execute()
    const ofType = (type: string) => kept.filter((row) => row.account_id === 'a' && row.type === type)
    t.equal(ofType('signed_out').length, KEPT_EVENTS)
    t.equal(Math.min(...ofType('signed_out').map(({ time }) => Number(time))), KEPT_EVENTS)
    t.equal(ofType('signed_in').length, KEPT_EVENTS)
    t.equal(kept.filter((row) => row.account_id === 'b').length, 1)
    t.equal((await listEvents(kysely, 'a')).length, KEPT_EVENTS)
  })
}

t.test('over SQLite', async (t) => {
  testEvents(t, async (t) => {
    const database = await openDatabase(':memory:')
    t.teardown(database.close)
    return database
  })
})

t.test('over PostgreSQL', async (t) => {
  const server = await startPostgres()
  t.teardown(() => server.stop())
  const databaseUrl = await server.createDatabase()
  testEvents(t, async (t) => {
    const database = await openPostgres({ databaseUrl, pool: PATIENT })
    t.teardown(database.close)
    await database.kysely.deleteFrom('account_events').execute()
    return database
  })

  t.test('two processes that write events of one account at once do not stop each other', async (t) => {
    const open = () => openPostgres({ databaseUrl, pool: PATIENT })
    const [here, there] = await Promise.all([open(), open()])
    t.teardown(() => Promise.all([here.close(), there.close()]))
    const write = ({ kysely }: typeof here) =>
      insertEvents(kysely, rowsOf(numbers(KEPT_EVENTS + 10).map((time) => signedIn('raced', time))))
    await Promise.all(numbers(10).flatMap(() => [write(here), write(there)]))
    await write(here)
    t.equal((await listEvents(there.kysely, 'raced')).length, KEPT_EVENTS)
    const all = here.kysely.selectFrom('account_events').select('id')
    const stored = await all.where('account_id', '=', 'raced').execute()
    t.equal(stored.length, KEPT_EVENTS, 'the next write deletes what the raced ones left')
  })
})

t.test('an event about no account is not kept, nor are refreshes and epochs', async (t) => {
  const about = { accountId: 'a', time: 1, ip: null }
  const refused = { type: 'sign_in_refused', mode: 'cookie', reason: 'credentials' } as const
  const throttled = { type: 'throttled', what: 'sign_in', by: 'account' } as const
  const kept = [
    eventRow({ ...refused, time: 1, ip: null }),
    eventRow({ ...throttled, ...about, accountId: null }),
    eventRow({ ...throttled, ...about }),
    eventRow({ ...about, type: 'refreshed', signInId: 's', mode: 'token', outcome: 'rotated' }),
    eventRow({ ...about, type: 'epoch_raised', epoch: 2, spared: null, ended: 1 }),
  ]
  t.match(kept, [null, null, { type: 'throttled', account_id: 'a' }, null, null])
  t.equal(kept[2]?.details, '{"what":"sign_in","by":"account"}')
})

function makeLog(insert: (rows: readonly AccountEventRow[]) => Promise<void>) {
  const lines: string[] = []
  const warn = (...parts: unknown[]) => void lines.push(String(parts.at(-1)))
  return { lines, log: new EventLog({ insert, log: { warn } }) }
}

t.test('events that come while others are written follow them, in their order', async (t) => {
  const written: (readonly AccountEventRow[])[] = []
  const { log } = makeLog(async (rows) => void written.push(rows))
  log.add(signedIn('a', 1))
  const first = log.flush()
  log.add(signedIn('a', 2))
  log.add(signedIn('a', 3))
  await Promise.all([first, log.flush()])
  t.same(
    written.flat().map(({ time }) => time),
    [1, 2, 3],
  )
  await log.flush()
  t.equal(written.flat().length, 3, 'each once')
})

t.test('nobody waits for a write, and a failed one is one line in the log', async (t) => {
  let isDown = true
  const written: AccountEventRow[] = []
  const { log, lines } = makeLog(async (rows) => {
    if (isDown) throw new StoreUnavailable()
    written.push(...rows)
  })
  log.add(signedIn('a', 1))
  log.add(signedIn('a', 2))
  await log.flush()
  t.same(lines, ['audit events of accounts could not be written'])
  isDown = false
  log.add(signedIn('a', 3))
  await log.flush()
  t.match(written, [{ time: 3 }])
})

t.test('while nothing can be written, events do not pile up without limit', async (t) => {
  const written: AccountEventRow[] = []
  const { log, lines } = makeLog(async (rows) => void written.push(...rows))
  for (let time = 0; time < 10_005; time++) log.add(signedIn('a', time))
  t.same(lines, ['audit events of accounts come faster than they can be written; some are lost'])
  await log.flush()
  t.equal(written.length, 10_000)
})
