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
 * Sends requests at fixed times, even if earlier answers are missing, and measures from the planned time. So a pause of the
 * server counts for every request that was due in it. Runs in its own process, with a higher priority than the runner if
 * that is allowed, so that the runner's work is not taken for the server's.
 */

/** Milliseconds between two requests. */
const EVERY = 5
/**
 * Further requests wait, and their time counts. The connections are opened first: with hundreds of new ones at once, the
 * kernel drops some, and they are tried again after a second.
 */
const SOCKETS = 32
/** How long to wait for the last answers, in ms. */
const PATIENCE = 10_000

const Work = Type.Object({
  urls: Type.Array(Type.String()),
  headers: Type.Record(Type.String(), Type.String()),
})
const Probed = Type.Object({ latencies: Type.Array(Type.Number()), failures: Type.Array(Type.String()) })

/** The time of each answer in ms, and the number of other answers than 200 and of missing ones. */
export type Probed = Static<typeof Probed>

export interface Prober {
  stop(): Promise<Probed>
}

/** Requests the routes in turn. Resolves when it has started. */
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

/** Raises the priority, if the process may. */
function goFirst(): void {
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST)
  } catch {
    // It continues with the normal priority.
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
