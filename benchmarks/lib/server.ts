import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { type Static, type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'
import { freePort } from '../../test/helpers/redis-server.js'
import type { Contender } from './contender.js'
import { hasPrograms } from './machine.js'
import { hasCores, SERVER_CORE } from './setting.js'

const CONTROL = pathToFileURL('dist/benchmarks/lib/control.js').href
const START_TIMEOUT = 120_000

/** In taskset's form. Without any, a process runs on the runner's cores. */
const AFFINITY = { one: SERVER_CORE, all: '0-1023', load: null } as const

const Usage = Type.Object({ cpu: Type.Number(), rss: Type.Number(), peak: Type.Number() })
const Heap = Type.Object({ heap: Type.Number() })

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>
  /** `all` for measurements that use several cores, `load` for processes that are not measured. */
  readonly cores?: keyof typeof AFFINITY
}

/** A running contender. */
export class Server {
  #errors = ''
  #stopping = false
  #isUp = false

  private constructor(
    readonly contender: Contender,
    readonly port: number,
    private readonly child: ChildProcess,
  ) {
    child.once('exit', (code, signal) => {
      if (this.#isUp && !this.#stopping)
        console.error(`${contender.name} ended by itself: ${code ?? signal}\n${this.#errors}`)
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-2000)
    })
  }

  /** @throws with its stderr if it ends instead of listening */
  static async start(contender: Contender, { env, cores = 'one' }: StartOptions = {}): Promise<Server> {
    const port = await freePort()
    const node = [process.execPath, '--import', CONTROL, ...contender.start]
    const core = hasCores && hasPrograms.taskset ? AFFINITY[cores] : null
    const [program = '', ...args] = core === null ? node : ['taskset', '-c', core, ...node]
    const { PATH, HOME } = process.env
    const child = spawn(program, args, {
      env: { PATH, HOME, NODE_ENV: 'production', ...contender.env, ...env, PORT: String(port) },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    const server = new Server(contender, port, child)
    await server.#listening()
    return server
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** CPU in microseconds since it started, memory now and at most, in bytes. */
  usage(): Promise<Static<typeof Usage>> {
    return this.#ask('usage', Usage)
  }

  /** Live bytes on the heap, after a garbage collection. */
  async heap(): Promise<number> {
    return (await this.#ask('heap', Heap)).heap
  }

  async stop(): Promise<void> {
    this.#stopping = true
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const ended = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await ended
  }

  async #ask<T extends TSchema>(question: string, schema: T): Promise<Static<T>> {
    const answer = once(this.child, 'message')
    this.child.send(question)
    const [message] = await answer
    return Value.Parse(schema, message)
  }

  async #listening(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT
    while (!(await accepts(this.port))) {
      if (this.child.exitCode !== null || Date.now() > deadline) {
        await this.stop()
        throw new Error(`${this.contender.name} does not start: ${this.#errors.trim()}`)
      }
      await delay(20)
    }
    this.#isUp = true
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1')
    const settle = (is: boolean) => {
      socket.destroy()
      resolve(is)
    }
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
  })
}
