import type { Feed } from '../stores/contract.js'
import type { Instruments } from './instruments.js'

/** Measures the feed of revocations. If no store has a feed, no metric says "down". */
export function createFeedMeter(instruments: Instruments): (feed: Feed) => void {
  const feeds: Feed[] = []
  const start = () => {
    instruments.gauge('feed_up', () => Number(feeds.every((feed) => feed.healthy())))
    instruments.gauge('revocations', () => feeds.reduce((sum, { held = 0 }) => sum + held, 0))
    const losses = instruments.counter('feed_losses_total')
    return { losses, lag: instruments.histogram('feed_lag_seconds') }
  }
  let told: ReturnType<typeof start> | null = null
  return function watchFeed(feed) {
    feeds.push(feed)
    told ??= start()
    const { losses, lag } = told
    feed.onChange(({ kind }) => kind === 'feed_lost' && losses.inc())
    feed.onBeat?.((ms) => lag.observe(ms / 1000))
  }
}
