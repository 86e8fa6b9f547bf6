import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'

/** Which connections a fault befalls: the one that the feed is read on, the others, or all. */
export type Which = 'all' | 'feed' | 'commands'

/** A TCP proxy between an application and its Redis, that breaks connections in the ways that networks do. */
export interface TcpProxy {
  /** For ioredis. */
  readonly url: string
  /** Closes connections. With `refuse`, new ones are closed as soon as they come, until `heal`. */
  cut(which?: Which, refuse?: boolean): void
  /** Keeps what is sent, in both directions, until `heal`. */
  freeze(which?: Which): void
  /** Loses what is sent, in both directions: each end believes that the other one is there. Until `heal`, which closes these. */
  halfOpen(which?: Which): void
  /** Hands everything on so many ms late, in both directions. */
  delay(ms: number): void
  /** All is well from now on. */
  heal(): void
  close(): Promise<void>
}

type Flow = 'open' | 'frozen' | 'lost'

class Pair {
  flow: Flow = 'open'
  isFeed = false
  readonly #ends: readonly [Socket, Socket]
  #held: (() => void)[] = []

  constructor(
    client: Socket,
    server: Socket,
    readonly late: () => number,
  ) {
    this.#ends = [client, server]
    this.#pipe(client, server)
    this.#pipe(server, client)
    client.on('data', (data) => {
      if (/xread/i.test(String(data))) this.isFeed = true
    })
  }

  matches(which: Which): boolean {
    return which === 'all' || (which === 'feed') === this.isFeed
  }

  thaw(): void {
    if (this.flow === 'lost') this.end()
    this.flow = 'open'
    for (const hand of this.#held) hand()
    this.#held = []
  }

  end(): void {
    for (const socket of this.#ends) socket.destroy()
  }

  #pipe(from: Socket, to: Socket): void {
    from.on('data', (data) => this.#hand(() => to.write(data)))
    from.on('close', () => this.#hand(() => to.destroy()))
    from.on('error', () => {})
  }

  #hand(on: () => void): void {
    if (this.flow === 'lost') return
    const late = this.late()
    const act = () => void (this.flow === 'frozen' ? this.#held.push(on) : on())
    if (late > 0) setTimeout(act, late)
    else act()
  }
}

/** Starts a proxy to a port of this machine. */
export async function startProxy(port: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>()
  const state: { late: number; refusing: boolean; flow: Flow; which: Which } = {
    ...{ late: 0, refusing: false, flow: 'open', which: 'all' },
  }
  // What is small goes on at once, as it does without the proxy.
  const server = createServer({ noDelay: true }, (client) => {
    if (state.refusing) return void client.destroy()
    const behind = createConnection({ port, host: '127.0.0.1', noDelay: true })
    const pair = new Pair(client, behind, () => state.late)
    if (state.which === 'all') pair.flow = state.flow
    pairs.add(pair)
    client.once('close', () => pairs.delete(pair))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: own } = server.address() as AddressInfo
  const hit = (which: Which, flow: Flow) => {
    Object.assign(state, { flow, which })
    for (const pair of pairs) if (pair.matches(which)) pair.flow = flow
  }
  return {
    url: `redis://127.0.0.1:${own}`,
    cut(which = 'all', refuse = false) {
      state.refusing = refuse
      for (const pair of [...pairs]) if (pair.matches(which)) pair.end()
    },
    freeze: (which = 'all') => hit(which, 'frozen'),
    halfOpen: (which = 'all') => hit(which, 'lost'),
    delay(ms) {
      state.late = ms
    },
    heal() {
      Object.assign(state, { late: 0, refusing: false, flow: 'open', which: 'all' })
      for (const pair of [...pairs]) pair.thaw()
    },
    async close() {
      for (const pair of pairs) pair.end()
      server.close()
      await once(server, 'close')
    },
  }
}
