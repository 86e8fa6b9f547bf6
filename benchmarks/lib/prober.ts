import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { constants, setPriority } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Headers } from './credentials.js'

/*
 * Asks at fixed times, whether or not the last answer has come, and counts from when it should have asked: a
 * server that stands still for a moment is noticed by all who would have come in that moment. In a process of its
 * own, and before the runner's where that is allowed, so that what else the runner does is not taken for the server's.
 */

/** Milliseconds between two questions. */
const EVERY = 5
/**
 * More questions than these wait, and their time counts. They are opened before the first one: how long a new connection
 * takes among hundreds of others is the kernel's to say, which drops some and has them tried again after a second.
 */
const SOCKETS = 32
/** For the last answers, in ms. */
const PATIENCE = 10_000

const Work = Type.Object({
  urls: Type.Array(Type.String()),
  headers: Type.Record(Type.String(), Type.String()),
})
const Probed = Type.Object({ latencies: Type.Array(Type.Number()), failures: Type.Array(Type.String()) })

/** How long each answer took, in ms, and what was answered otherwise than by 200, or not at all. */
export type Probed = Static<typeof Probed>

export interface Prober {
  stop(): Promise<Probed>
}

/** Asks the routes in turn; resolves when it does. */
export async function startProber(urls: readonly string[], headers: Headers): Promise<Prober> {
  const child = fork(fileURLToPath(import.meta.url))
  child.send({ urls: [...urls], headers })
  await once(child, 'message')
  return {
    async stop() {
      const answer = once(child, 'message')
      child.send('stop')
      const [probed] = await answer
      child.kill()
      return Value.Parse(Probed, probed)
    },
  }
}

/** Needs the right to raise it. */
function goFirst(): void {
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST)
  } catch {
    // As anybody else, then.
  }
}

/** Resolves when all of the agent's sockets are open. */
async function openSockets(agent: Agent, url: string): Promise<void> {
  const opened = Array.from({ length: SOCKETS }, async () => {
    const [response] = await once(get(url, { agent }), 'response')
    await once(response.resume(), 'end')
  })
  await Promise.all(opened)
}

async function probe(work: unknown): Promise<void> {
  goFirst()
  const { urls, headers } = Value.Parse(Work, work)
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS, maxFreeSockets: SOCKETS })
  await openSockets(agent, urls.at(-1) ?? '')
  const latencies: number[] = []
  const failures: string[] = []
  let [asked, open, due] = [0, 0, performance.now()]
  function ask(url: string, since: number): void {
    open++
    const request = get(url, { agent, headers }, (response) => {
      if (response.statusCode !== 200) failures.push(`${url} answered ${response.statusCode}`)
      response.resume().once('end', () => latencies.push(performance.now() - since))
    })
    request.once('error', (error) => failures.push(`${url}: ${error.message}`))
    request.once('close', () => open--)
  }
  const timer = setInterval(() => {
    for (; due <= performance.now(); due += EVERY) ask(urls[asked++ % urls.length] ?? '', due)
  }, 1)
  async function finish(): Promise<void> {
    clearInterval(timer)
    for (const deadline = performance.now() + PATIENCE; open > 0 && performance.now() < deadline; )
      await delay(10)
    process.send?.({ latencies, failures })
  }
  process.once('message', () => void finish())
  process.send?.('asking')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.once('message', (work) => void probe(work))
