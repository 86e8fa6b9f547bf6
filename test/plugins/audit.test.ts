import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import Fastify, { type FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import audit, { AUDIT_CHANNEL, type AuditEvent, type AuditReport, useAudit } from '../../plugins/audit.js'
import { AUDIT_TYPES, createAudit } from '../../plugins/lib/audit.js'
import type { FeedChange } from '../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import stores from '../../plugins/stores.js'

const NOW = Date.UTC(2026, 0, 1)
const SIGNED_IN = { type: 'signed_in', accountId: 'a-1', signInId: 's-1', mode: 'cookie' } as const
const FEED_LOST = { type: 'feed_lost', reason: 'the connection was closed' } as const

type Line = { level: number; msg: string; [key: string]: unknown }

interface Heard {
  readonly app: FastifyInstance
  readonly lines: Line[]
  readonly events: AuditEvent[]
}

/** An application on the audit plugin alone, with what it logged and what a listener heard. */
async function listeningApp(t: Test, before?: (app: FastifyInstance) => unknown): Promise<Heard> {
  const lines: Line[] = []
  const events: AuditEvent[] = []
  const stream = { write: (line: string) => void lines.push(JSON.parse(line)) }
  const app = Fastify({ logger: { level: 'trace', stream } })
  t.teardown(() => app.close())
  await before?.(app)
  await app.register(audit, { clock: () => NOW })
  app.audit.subscribe((event) => void events.push(event))
  return { app, lines, events }
}

/** What the channel carries from now until the test ends. */
function onChannel(t: Test): unknown[] {
  const heard: unknown[] = []
  const listener = (message: unknown) => void heard.push(message)
  subscribe(AUDIT_CHANNEL, listener)
  t.teardown(() => unsubscribe(AUDIT_CHANNEL, listener))
  return heard
}

test('an event goes to the log, to the channel and to listeners, with time and address', async (t) => {
  const { app, lines, events } = await listeningApp(t)
  const channel = onChannel(t)
  app.get('/', async (request) => app.audit.emit(SIGNED_IN, request))
  await app.inject({ url: '/', remoteAddress: '192.0.2.7' })
  const event = { ...SIGNED_IN, time: NOW, ip: '192.0.2.7' }
  t.same(events, [event])
  t.same(channel, [event])
  const logged = lines.filter(({ audit }) => audit)
  t.match(logged, [{ level: 30, msg: 'signed_in', audit: event, reqId: String }])
  t.ok(Object.isFrozen(events[0]))
})

test('an event without a request has no address, and goes to the application’s own log', async (t) => {
  const { app, lines, events } = await listeningApp(t)
  app.audit.emit(FEED_LOST)
  t.same(events, [{ ...FEED_LOST, time: NOW, ip: null }])
  t.match(lines, [{ level: 40, msg: 'feed_lost' }])
})

test('an event holds the fields of its type and nothing else', async (t) => {
  const { app, lines, events } = await listeningApp(t)
  const row = { ...SIGNED_IN, password: 'hunter2-hunter2', password_hash: '$argon2id$', claims: { a: 1 } }
  app.audit.emit(row)
  t.same(Object.keys(events[0] ?? {}).sort(), ['accountId', 'ip', 'mode', 'signInId', 'time', 'type'])
  t.notMatch(JSON.stringify(lines), /hunter2|argon2/)
})

test('a field that was left out is null', async (t) => {
  const { app, events } = await listeningApp(t)
  const careless: Partial<AuditReport> = { type: 'feed_lost' }
  app.audit.emit(careless as AuditReport)
  t.same(events, [{ type: 'feed_lost', time: NOW, ip: null, reason: null }])
})

test('each type has its level: theft and the feed are warnings', async (t) => {
  const warnings = [...AUDIT_TYPES].filter(([, { level }]) => level === 'warn').map(([type]) => type)
  t.same(warnings, ['passkey_cloned', 'refresh_reuse_detected', 'feed_lost', 'feed_restored'])
  const { app, lines } = await listeningApp(t)
  const refresh = { accountId: 'a-1', signInId: 's-1', mode: 'token' } as const
  app.audit.emit({ type: 'refreshed', outcome: 'rotated', ...refresh })
  app.audit.emit({ type: 'refresh_reuse_detected', ...refresh })
  t.match(lines, [
    { level: 20, msg: 'refreshed' },
    { level: 40, msg: 'refresh_reuse_detected' },
  ])
})

test('a listener that throws or rejects is logged, and breaks nothing', async (t) => {
  const { app, lines, events } = await listeningApp(t)
  app.audit.subscribe(() => {
    throw new Error('thrown')
  })
  app.audit.subscribe(async () => {
    throw new Error('rejected')
  })
  app.audit.subscribe((event) => void events.push(event))
  app.get('/', async (request) => {
    app.audit.emit(SIGNED_IN, request)
    return 'fine'
  })
  t.equal((await app.inject('/')).body, 'fine')
  t.equal(events.length, 2, 'those before and after it were told')
  const failures = lines.filter(({ msg }) => msg === 'an audit listener failed')
  t.match(failures, [
    { level: 50, err: { message: 'thrown' }, type: 'signed_in' },
    { level: 50, err: { message: 'rejected' }, type: 'signed_in' },
  ])
})

test('a listener cannot change what the next one is told', async (t) => {
  const { app, events } = await listeningApp(t)
  app.audit.subscribe((event) => void Object.assign(event, { accountId: 'somebody-else' }))
  app.audit.subscribe((event) => void events.push(event))
  app.audit.emit(SIGNED_IN)
  t.match(events, [{ accountId: 'a-1' }, { accountId: 'a-1' }])
})

test('a subscription ends, and only that one', async (t) => {
  const { app, events } = await listeningApp(t)
  const twice: string[] = []
  const listener = (event: AuditEvent) => void twice.push(event.type)
  const end = app.audit.subscribe(listener)
  app.audit.subscribe(listener)
  app.audit.emit(SIGNED_IN)
  end()
  end()
  app.audit.emit(FEED_LOST)
  t.same(twice, ['signed_in', 'signed_in', 'feed_lost'])
  t.equal(events.length, 2)
})

test('without a log, listeners and the channel hear of it all the same', async (t) => {
  const channel = onChannel(t)
  const quiet = createAudit({ clock: () => NOW })
  quiet.subscribe(() => {
    throw new Error('nobody to tell')
  })
  quiet.emit(FEED_LOST)
  t.match(channel, [FEED_LOST])
})

/** A memory store with a feed that the test makes tell things. */
function storeWithFeed() {
  const listeners = new Set<(change: FeedChange) => void>()
  const store = Object.assign(createMemoryStore(), {
    feed: {
      healthy: () => true,
      onChange(listener: (change: FeedChange) => void) {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
    },
  })
  const tell = (change: FeedChange) => {
    for (const listener of listeners) listener(change)
  }
  return { store, tell, listeners }
}

test('the feed’s losses are told, whichever was registered first, until the application stops', async (t) => {
  for (const order of ['stores first', 'audit first']) {
    const { store, tell, listeners } = storeWithFeed()
    const first = order === 'stores first'
    const { app, events } = await listeningApp(t, (app) => first && app.register(stores, { store }))
    if (!first) await app.register(stores, { store })
    await app.ready()
    tell({ kind: 'feed_lost', reason: 'no heartbeat' })
    tell({ kind: 'feed_restored', reason: 'reloaded' })
    t.match(
      events,
      [
        { type: 'feed_lost', reason: 'no heartbeat', ip: null },
        { type: 'feed_restored', reason: 'reloaded', ip: null },
      ],
      order,
    )
    await app.close()
    t.equal(listeners.size, 0, 'a stop is no loss')
  }
})

test('stores without a feed, and no stores at all, have nothing to tell', async (t) => {
  const { app, events } = await listeningApp(t, (app) => app.register(stores, { memory: true }))
  await app.ready()
  const { app: alone } = await listeningApp(t)
  await alone.ready()
  t.same(events, [])
})

test('useAudit registers it once, and leaves an application’s own registration alone', async (t) => {
  const { app } = await listeningApp(t)
  const own = app.audit
  await useAudit(app, () => 0)
  t.equal(app.audit, own)
  const bare = Fastify()
  t.teardown(() => bare.close())
  await useAudit(bare, () => 5)
  const times: number[] = []
  bare.audit.subscribe(({ time }) => void times.push(time))
  bare.audit.emit(FEED_LOST)
  t.same(times, [5])
})

test('its clock defaults to the system’s, and must be one', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(audit)
  const times: number[] = []
  app.audit.subscribe(({ time }) => void times.push(time))
  app.audit.emit(FEED_LOST)
  t.ok(Math.abs((times[0] ?? 0) - Date.now()) < 60_000)
  const clock = 7 as unknown as () => number
  for (const options of [{ clock }, { log: true }])
    await t.rejects(async () => await Fastify().register(audit, options), { code: 'OPTION_INVALID' })
})

test('docs/events.md has a row for each type, with its level and all of its fields', async (t) => {
  const text = readFileSync('docs/events.md', 'utf8')
  const rows = text.matchAll(/^\| `(\w+)` \| (debug|info|warn) \| ([^|]+) \|/gm)
  const documented = [...rows].map(([, type, level, fields = '']) => [
    type,
    level,
    [...fields.matchAll(/`(\w+)`/g)].map(([, field]) => field).sort(),
  ])
  const defined = [...AUDIT_TYPES].map(([type, { level, fields }]) => [type, level, [...fields].sort()])
  t.same(documented, defined)
})
