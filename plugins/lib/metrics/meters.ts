import type { HashQueue } from '../accounts/hash-queue.js'
import type { AuthMode } from '../contract.js'
import { CLOSINGS, type Connections } from '../live/connections.js'
import type { Feed, StateStore } from '../stores/contract.js'
import type { Meters } from './contract.js'
import { createEventCounters } from './events.js'
import type { Instruments } from './instruments.js'
import { meterMode } from './metered-mode.js'
import { meterStore } from './metered-store.js'

/** The modes count their lookups anyway: this reads the counts. */
function countLookups(instruments: Instruments, modes: readonly AuthMode[]): void {
  instruments.pulledCounter('cache_lookups_total', (counter) => {
    for (const { name: mode, cache } of modes) {
      if (!cache) continue
      counter.inc({ mode, result: 'hit' }, cache.hits)
      counter.inc({ mode, result: 'miss' }, cache.misses)
    }
  })
}

function makeModeMeter(instruments: Instruments, sampling: number, addMode: (name: string) => void) {
  const seconds = instruments.histogram('resolve_seconds')
  const modes: AuthMode[] = []
  countLookups(instruments, modes)
  return (mode: AuthMode): AuthMode => {
    modes.push(mode)
    addMode(mode.name)
    const labels = { mode: mode.name }
    seconds.zero(labels)
    return meterMode(mode, sampling, (took) => seconds.observe(labels, took))
  }
}

/** Measures the feeds of revocations. If no store has a feed, no metric says "down". */
function makeFeedMeter(instruments: Instruments): (feed: Feed) => void {
  const feeds: Feed[] = []
  const start = () => {
    instruments.gauge('feed_up', () => Number(feeds.every((feed) => feed.healthy())))
    instruments.gauge('revocations', () => feeds.reduce((sum, { held = 0 }) => sum + held, 0))
    const losses = instruments.counter('feed_losses_total')
    return { losses, lag: instruments.histogram('feed_lag_seconds') }
  }
  let started: ReturnType<typeof start> | null = null
  return (feed) => {
    feeds.push(feed)
    started ??= start()
    const { losses, lag } = started
    feed.onChange(({ kind }) => kind === 'feed_lost' && losses.inc())
    feed.onBeat?.((ms) => lag.observe(ms / 1000))
  }
}

function makeStoreMeter(instruments: Instruments): Meters['store'] {
  const seconds = instruments.histogram('store_operation_seconds')
  const faults = instruments.counter('store_faults_total')
  const watchFeed = makeFeedMeter(instruments)
  return (store: StateStore) => {
    const { kind, feed } = store
    if (feed) watchFeed(feed)
    return meterStore(store, (operation) => (took, failed) => {
      const labels = { store: kind, operation }
      seconds.observe(labels, took)
      if (failed) faults.inc(labels)
    })
  }
}

/** Measures the queue of passwords to be hashed. Applications without a bound of their own share the process's queue. */
function watchHashes(instruments: Instruments, queue: HashQueue): () => void {
  instruments.gauge('hash_running', () => queue.running)
  instruments.gauge('hash_waiting', () => queue.waiting)
  instruments.pulledCounter('hash_shed_total', (counter) => void counter.inc(queue.shed))
  const seconds = instruments.histogram('hash_seconds')
  return queue.onDone((took) => seconds.observe(took / 1000))
}

/** They are counted anyway: this reads the counts. */
function watchConnections(instruments: Instruments, connections: Connections): void {
  instruments.gauge('live_connections', () => connections.open)
  instruments.pulledCounter('live_closed_total', (counter) => {
    for (const reason of CLOSINGS) counter.inc({ reason }, connections.closed.get(reason) ?? 0)
  })
}

/** @param sampling one in so many resolves is timed */
export function createMeters(instruments: Instruments, sampling: number): Meters {
  const names = new Set<string>()
  const events = createEventCounters(instruments, names)
  return Object.freeze({
    store: makeStoreMeter(instruments),
    mode: makeModeMeter(instruments, sampling, (name) => {
      names.add(name)
      events.addMode(name)
    }),
    audit: (audit) => void audit.subscribe((event) => events.count(event)),
    live: (connections) => watchConnections(instruments, connections),
    proofs: (size) => void instruments.gauge('dpop_proofs', size),
    hashes: (queue) => watchHashes(instruments, queue),
  } satisfies Meters)
}
