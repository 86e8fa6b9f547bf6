import { Redis } from 'ioredis'
import { eventually } from './followed.js'
import { freePort, type RedisServer, startRedis } from './redis-server.js'

/** A cluster of three masters, without replicas at first. */
export interface RedisCluster {
  /** For REDIS_URL. */
  readonly url: string
  readonly nodes: readonly RedisServer[]
  /** The master that has a key. */
  masterOf(key: string): Promise<RedisServer>
  /** Starts a replica of one of the masters. Resolves when it is in step. `stop` ends it as well. */
  addReplica(master: RedisServer): Promise<RedisServer>
  stop(): Promise<void>
}

const SLOTS = 16_384
const SIZE = 3

interface Member {
  readonly server: RedisServer
  readonly bus: number
}

async function startMember(): Promise<Member> {
  const bus = await freePort()
  const args = [
    '--cluster-enabled',
    'yes',
    '--cluster-port',
    String(bus),
    '--cluster-node-timeout',
    '1000',
    // What a lost master had is gone, the rest goes on.
    '--cluster-require-full-coverage',
    'no',
    // A replica is in step at once.
    '--repl-diskless-sync-delay',
    '0',
    '--repl-ping-replica-period',
    '1',
  ]
  return { server: await startRedis({ tcp: true, args }), bus }
}

function firstSlot(index: number): number {
  return Math.ceil((SLOTS * index) / SIZE)
}

async function join(members: readonly Member[]): Promise<void> {
  const admins = members.map(({ server }) => new Redis({ port: server.port, protocol: 2 }))
  try {
    for (const [index, admin] of admins.entries()) {
      await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
      await admin.call('CLUSTER', 'ADDSLOTSRANGE', firstSlot(index), firstSlot(index + 1) - 1)
    }
    for (const { server, bus } of members)
      await admins[0]?.call('CLUSTER', 'MEET', '127.0.0.1', server.port, bus)
    const knowsAll = async (admin: Redis) => {
      const info = String(await admin.call('CLUSTER', 'INFO'))
      return (
        /cluster_state:ok/.test(info) && /cluster_slots_ok:16384/.test(info) && /cluster_size:3/.test(info)
      )
    }
    await eventually(async () => (await Promise.all(admins.map(knowsAll))).every(Boolean), 20_000)
  } finally {
    for (const admin of admins) admin.disconnect()
  }
}

/** The slot of a key, from whichever node answers. */
async function slotOf(nodes: readonly RedisServer[], key: string): Promise<number> {
  const admins = nodes.map(({ port }) => new Redis({ port, protocol: 2, retryStrategy: () => null }))
  for (const admin of admins) admin.on('error', () => {})
  try {
    return Number(await Promise.any(admins.map((admin) => admin.call('CLUSTER', 'KEYSLOT', key))))
  } finally {
    for (const admin of admins) admin.disconnect()
  }
}

/** Makes a new member follow `master`, and waits until it has confirmed something and all the others know it. */
async function follow({ server, bus }: Member, master: RedisServer, others: readonly RedisServer[]) {
  const [own, of, ...rest] = [server, master, ...others].map(({ port }) => new Redis({ port, protocol: 2 }))
  try {
    const id = String(await of?.call('CLUSTER', 'MYID'))
    await of?.call('CLUSTER', 'MEET', '127.0.0.1', server.port, bus)
    const knows = async (admin: Redis | undefined, text: string) =>
      String(await admin?.call('CLUSTER', 'NODES')).includes(text)
    await eventually(() => knows(own, id), 20_000)
    await own?.call('CLUSTER', 'REPLICATE', id)
    await eventually(async () => {
      const info = String(await of?.info('replication'))
      const known = await Promise.all(rest.map((admin) => knows(admin, `slave ${id}`)))
      return /state=online,offset=[1-9]/.test(info) && known.every(Boolean)
    }, 20_000)
  } finally {
    for (const admin of [own, of, ...rest]) admin?.disconnect()
  }
}

export async function startCluster(): Promise<RedisCluster> {
  const members = await Promise.all([1, 2, 3].map(startMember))
  const nodes = members.map(({ server }) => server)
  const replicas: RedisServer[] = []
  const stop = async () => void (await Promise.all([...nodes, ...replicas].map((node) => node.stop())))
  try {
    await join(members)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join()}`,
    nodes,
    async masterOf(key) {
      const slot = await slotOf(nodes, key)
      const found = nodes.find((_, index) => slot >= firstSlot(index) && slot < firstSlot(index + 1))
      if (!found) throw new Error('No master has that key.')
      return found
    },
    async addReplica(master) {
      const member = await startMember()
      replicas.push(member.server)
      const others = nodes.filter((node) => node !== master)
      await follow(member, master, others)
      return member.server
    },
    stop,
  }
}
