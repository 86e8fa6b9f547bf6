import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Headers } from './credentials.js'

/*
 * Asks at fixed times, whether or not the last answer has come, and counts from when it should have asked: a
 * server that stands still for a moment is noticed by all who would have come in that moment. In a thread of its
 * own, so that what else the runner does is not taken for the server's.
 */

/** Milliseconds between two questions. */
const EVERY = 5

const Work = Type.Object({
  urls: Type.Array(Type.String()),
  headers: Type.Record(Type.String(), Type.String()),
})
const Latencies = Type.Array(Type.Number())

export interface Prober {
  /** Ends it. @returns how long each answer took, in ms @throws when an answer was not 200 */
  stop(): Promise<readonly number[]>
}

/** Starts asking the routes in turn. */
export function startProber(urls: readonly string[], headers: Headers): Prober {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { urls, headers } })
  return {
    async stop() {
      const answer = once(worker, 'message')
      worker.postMessage('stop')
      const [latencies] = await answer
      await worker.terminate()
      return Value.Parse(Latencies, latencies)
    },
  }
}

function probe(): void {
  const { urls, headers } = Value.Parse(Work, workerData)
  const agent = new Agent({ keepAlive: true })
  const latencies: number[] = []
  let [asked, due] = [0, performance.now()]
  function ask(url: string, since: number): void {
    const request = get(url, { agent, headers }, (response) => {
      if (response.statusCode !== 200) throw new Error(`${url} answered ${response.statusCode}`)
      response.resume().once('end', () => latencies.push(performance.now() - since))
    })
    request.once('error', (error) => {
      throw error
    })
  }
  const timer = setInterval(() => {
    for (; due <= performance.now(); due += EVERY) ask(urls[asked++ % urls.length] ?? '', due)
  }, 1)
  parentPort?.once('message', () => {
    clearInterval(timer)
    setTimeout(() => parentPort?.postMessage(latencies), 500)
  })
}

if (!isMainThread) probe()
