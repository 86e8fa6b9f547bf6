import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createNearStore } from '../plugins/lib/near/near-store.js'
import { closeRedis, firstAttempt, openRedis } from '../plugins/lib/stores/redis-client.js'
import { startRedis } from '../test/helpers/redis-server.js'

/*
 * How long after a revocation was answered another process still accepts what was revoked. Two processes over
 * one Redis, which it starts: one revokes, the other one does nothing but ask, as under full load.
 *
 *   node --import=./node_modules/@tapjs/typescript/dist/esm/import.mjs benchmarks/revocation-lag.ts [revocations]
 */

/** Milliseconds of a clock that all processes of a machine share. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

async function openStore(url: string) {
  const client = openRedis(url)
  await firstAttempt(client, 2000)
  const store = createNearStore(client, { onClose: () => closeRedis(client) })
  await store.settle(2000)
  return store
}

function refOf(generation: number, signInId: string) {
  return { accountId: 'account', signInId, epoch: 1, generation }
}

/** The other process: is told of a sign-in, and says when it first refused it. */
async function listen(url: string): Promise<void> {
  const store = await openStore(url)
  const generation = await store.generation()
  process.on('message', (signInId: string) => {
    let asked = 0
    function ask() {
      for (let again = 0; again < 100; again++, asked++) {
        if (store.isLive(refOf(generation, signInId)) === false) return void process.send?.([now(), asked])
      }
      setImmediate(ask)
    }
    process.send?.('asking')
    ask()
  })
  process.on('disconnect', () => void store.close())
  process.send?.('ready')
}

async function measure(count: number): Promise<void> {
  const server = await startRedis({ tcp: true })
  const store = await openStore(server.url)
  const generation = await store.generation()
  const other = fork(fileURLToPath(import.meta.url), ['listen', server.url])
  await once(other, 'message')
  const lags: number[] = []
  let own = 0
  for (let index = 0; index < count; index++) {
    other.send(`sign-in-${index}`)
    await once(other, 'message')
    const refused = once(other, 'message')
    await store.endSignIn('account', `sign-in-${index}`, Date.now() + 3_600_000)
    const answered = now()
    if (store.isLive(refOf(generation, `sign-in-${index}`)) !== false) own++
    const [[at]] = await refused
    lags.push(Math.max(0, Number(at) - answered))
  }
  other.disconnect()
  await store.close()
  await server.stop()
  report(
    lags.sort((a, b) => a - b),
    own,
  )
}

function report(lags: readonly number[], own: number): void {
  const at = (share: number) => (lags[Math.ceil(lags.length * share) - 1] ?? 0).toFixed(2)
  const early = lags.filter((lag) => lag === 0).length
  console.log(`revocations                              ${lags.length}`)
  console.log(`accepted after the answer, same process  ${own}`)
  console.log(`refused elsewhere before the answer      ${early}`)
  console.log(`lag elsewhere, ms                        median ${at(0.5)}  p99 ${at(0.99)}  max ${at(1)}`)
}

const [what = '1000', url = ''] = process.argv.slice(2)
await (what === 'listen' ? listen(url) : measure(Number(what)))
