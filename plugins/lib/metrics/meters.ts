import type { AuthMode } from '../contract.js'
import type { StateStore } from '../stores/contract.js'
import type { Meters } from './contract.js'
import { createEventCounters } from './events.js'
import { createFeedMeter } from './feed.js'
import { watchHashes } from './hashes.js'
import type { Instruments } from './instruments.js'
import { meterMode } from './metered-mode.js'
import { MeteredStore } from './metered-store.js'

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

function makeStoreMeter(instruments: Instruments): Meters['store'] {
  const seconds = instruments.histogram('store_operation_seconds')
  const faults = instruments.counter('store_faults_total')
  const watchFeed = createFeedMeter(instruments)
  return (store: StateStore) => {
    const { kind, feed } = store
    if (feed) watchFeed(feed)
    return new MeteredStore(store, (operation) => (took, failed) => {
      const labels = { store: kind, operation }
      seconds.observe(labels, took)
      if (failed) faults.inc(labels)
    })
  }
}

/** @param sampling one in so many resolves is timed */
export function createMeters(instruments: Instruments, sampling: number): Meters {
  const names = new Set<string>()
  const events = createEventCounters(instruments, names)
  const meters: Meters = {
    store: makeStoreMeter(instruments),
    mode: makeModeMeter(instruments, sampling, (name) => {
      names.add(name)
      events.addMode(name)
    }),
    audit: (audit) => void audit.subscribe((event) => events.count(event)),
    hashes: (queue) => watchHashes(instruments, queue),
  }
  return Object.freeze(meters)
}
