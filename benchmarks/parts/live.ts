import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { atOnce } from '../lib/at-once.js'
import type { Contender } from '../lib/contender.js'
import type { Part } from '../lib/part.js'
import { usernameOf } from '../lib/profile.js'
import { openStore, type Store } from '../lib/redis.js'
import { goal, whole } from '../lib/report.js'
import { Server } from '../lib/server.js'
import { quantile } from '../lib/statistics.js'
import { costOfLive } from './in-process.js'

const text = `
Idle WebSockets on three instances over one Redis. The benchmark ends 100 of their sign-ins, each at an instance that does not have
the socket. Each of these sockets sends a message every millisecond until it is closed. The lag is the time from the answer to the
sign-out until the last reply. The memory is the heap of an instance for each socket, bound and not bound. The cost of a request is
CPU in µs, in process, with the plugin and without it. No request uses the plugin.
`.trim()

const INSTANCES = 3
const ENDED = 100
const AT_ONCE = 50

const contender = (isBound: boolean): Contender => ({
  name: `WebSockets, ${isBound ? 'bound' : 'not bound'}`,
  start: ['dist/benchmarks/contenders/live.js'],
  env: { BIND: String(isBound) },
  guarded: true,
  usesRedis: true,
  mode: 'token',
  signOut: 'at once',
})

interface Pair {
  readonly token: string
  readonly refreshToken: string
}

async function send(server: Server, path: string, body: object, headers = {}): Promise<unknown> {
  const response = await fetch(`${server.origin}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  if (response.status !== 200) throw new Error(`${path}: ${response.status}`)
  return response.json()
}

const bearer = ({ token }: Pair) => ({ authorization: `Bearer ${token}` })

interface Client {
  readonly socket: WebSocket
  readonly index: number
  pair: Pair
  isClosed: boolean
}

async function connect(server: Server, index: number): Promise<Client> {
  const pair = (await send(server, '/sign_in', { username: usernameOf(index) })) as Pair
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/socket`, { headers: bearer(pair) })
  await once(socket, 'open')
  const client = { socket, index, pair, isClosed: false }
  socket.once('close', () => {
    client.isClosed = true
  })
  socket.on('error', () => {})
  return client
}

async function connectAll(servers: readonly Server[], count: number): Promise<Client[]> {
  const clients: Client[] = []
  await atOnce(AT_ONCE, count, async (index) => {
    const server = servers[index % servers.length]
    if (server) clients.push(await connect(server, index))
  })
  return clients
}

/** @returns the time from the answer to the last reply, in ms */
async function endAndListen(server: Server, { socket, pair }: Client): Promise<number> {
  let last = 0
  socket.on('message', () => {
    last = performance.now()
  })
  const closed = once(socket, 'close')
  const sending = setInterval(() => socket.readyState === WebSocket.OPEN && socket.send('message'), 1)
  await once(socket, 'message')
  await send(server, '/sign_out', {}, bearer(pair))
  const answered = performance.now()
  await closed
  clearInterval(sending)
  return Math.max(0, last - answered)
}

/** @returns the sockets that closed although their sign-in was only refreshed */
async function refreshAll(
  servers: readonly Server[],
  clients: readonly Client[],
  count: number,
): Promise<number> {
  await atOnce(AT_ONCE, count, async (index) => {
    const client = clients[index % clients.length]
    const server = servers[(index + 1) % servers.length]
    if (!client || !server) return
    client.pair = (await send(server, '/refresh', { token: client.pair.refreshToken })) as Pair
  })
  await delay(1500)
  return clients.filter(({ isClosed }) => isClosed).length
}

/** Heap of one instance with so many sockets, beyond that without. In bytes for each socket. */
async function heapOf(store: Store, isBound: boolean, count: number): Promise<number> {
  const server = await Server.start(contender(isBound), { env: { REDIS_URL: store.url }, cores: 'all' })
  const warm = await connectAll([server], 50)
  const before = await server.heap()
  const clients = await connectAll([server], count)
  const after = await server.heap()
  for (const { socket } of [...warm, ...clients]) socket.terminate()
  await server.stop()
  return (after - before) / count
}

async function measureFleet(store: Store, sockets: number, refreshes: number) {
  const servers = await Promise.all(
    Array.from({ length: INSTANCES }, () =>
      Server.start(contender(true), { env: { REDIS_URL: store.url }, cores: 'all' }),
    ),
  )
  const clients = await connectAll(servers, sockets)
  const wrongly = await refreshAll(servers, clients, refreshes)
  const lags: number[] = []
  for (const client of clients.slice(0, ENDED)) {
    const server = servers[(client.index + 1) % INSTANCES]
    if (server) lags.push(await endAndListen(server, client))
  }
  const closed = clients.filter(({ isClosed }) => isClosed).length
  for (const { socket } of clients) socket.terminate()
  await Promise.all(servers.map((server) => server.stop()))
  return { lags, wrongly: wrongly + closed - ENDED }
}

export const live: Part = {
  name: 'live',
  async run({ quick, users }, tell) {
    const sockets = quick ? 300 : 10_000
    const store = await openStore()
    try {
      tell(`  ${sockets} sockets on ${INSTANCES} instances`)
      const { lags, wrongly } = await measureFleet(store, sockets, quick ? 100 : 1000)
      tell('  memory')
      const count = quick ? 200 : 3000
      const [bare, bound] = [await heapOf(store, false, count), await heapOf(store, true, count)]
      tell('  a request that uses none of it')
      const [without, withIt] = await costOfLive(users, quick ? 100 : 2000)
      const [p50, p99] = [quantile(lags, 0.5), quantile(lags, 0.99)]
      const rows = [
        [
          ...[whole(sockets), p50.toFixed(1), p99.toFixed(1), String(wrongly), whole(bare), whole(bound)],
          ...[without.toFixed(2), withIt.toFixed(2)],
        ],
      ]
      const columns = [
        'sockets',
        'lag ms, median',
        'lag ms, p99',
        'closed wrongly',
        'bytes, not bound',
        'bytes, bound',
        'µs a request, without the plugin',
        'µs a request, with it',
      ]
      const goals = [
        goal('ms from a sign-out to the last message of its socket, p99', '≤', 50, p99, 1),
        goal('sockets closed by refreshes', '≤', 0, wrongly, 0),
        goal('bytes of a bound socket, beyond one that is not', '≤', 2048, bound - bare, 0),
        goal(
          'µs of a request that uses no live connection, beyond one without the plugin, p10',
          '≤',
          0.1,
          withIt - without,
        ),
      ]
      return [{ title: 'Live connections', text, tables: [{ columns, rows }], goals }]
    } finally {
      await store.stop()
    }
  },
}
