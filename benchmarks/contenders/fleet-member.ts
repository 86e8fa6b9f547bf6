import { required } from '../lib/environment.js'
import { openFollowedState } from '../lib/suite-store.js'

/** Some idle instances of a fleet in one process, which reports their cost. CPU is in microseconds. */
const url = required('REDIS_URL')
const stores = await Promise.all(
  Array.from({ length: Number(required('INSTANCES')) }, () => openFollowedState(url)),
)

process.on('message', () => {
  const { user, system } = process.cpuUsage()
  const healthy = stores.filter(({ feed }) => feed.healthy()).length
  process.send?.({ cpu: user + system, healthy })
})
process.once('disconnect', () => process.exit(0))
process.send?.('ready')
