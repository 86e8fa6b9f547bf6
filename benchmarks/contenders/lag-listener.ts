import { required } from '../lib/environment.js'
import { refOf } from '../lib/lag.js'
import { openFollowedState } from '../lib/suite-store.js'

/** The other process: gets a sign-in over IPC, and reports when it first refused it. */
const store = await openFollowedState(required('REDIS_URL'))
const generation = await store.generation()

function listen(signInId: string): void {
  function ask() {
    for (let again = 0; again < 100; again++) {
      if (store.isLive(refOf(generation, signInId)) === false)
        return void process.send?.(Number(process.hrtime.bigint()) / 1e6)
    }
    setImmediate(ask)
  }
  process.send?.('asking')
  ask()
}

process.on('message', (signInId) => listen(String(signInId)))
process.once('disconnect', () => process.exit(0))
process.send?.('ready')
