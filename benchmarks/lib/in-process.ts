import { EventEmitter } from 'node:events'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { quantile } from './statistics.js'

/** An application, and the headers of its requests, which take turns. */
export interface Candidate {
  readonly name: string
  readonly app: FastifyInstance
  readonly headers: readonly Readonly<Record<string, string>>[]
  /** Makes the headers of each request instead, if none may be sent twice. Not measured. */
  readonly fresh?: () => Readonly<Record<string, string>>
}

/** The cost of one request. */
export interface Cost {
  /** CPU in µs. */
  readonly p10: number
  readonly median: number
  /** Allocated on the heap. */
  readonly bytes: number
}

/**
 * Requests between two readings of the process's CPU time, which has a resolution of a microsecond. A garbage collection
 * copies those that still wait. With 500, one slice in three had a collection, and its cost was mostly that copy.
 */
const SLICE = 100

/** A copy, like the ones of a parser: V8 would cache the hash of the same string. */
const copy = (text: string) => Buffer.from(text, 'latin1').toString('latin1')

function makeRequest(socket: Socket, sent: Readonly<Record<string, string>>): IncomingMessage {
  const headers = Object.entries({ host: 'localhost', ...sent }).map(([name, value]) => [name, copy(value)])
  const request = new IncomingMessage(socket)
  return Object.assign(request, {
    method: 'GET',
    url: '/user_info',
    httpVersion: '1.1',
    httpVersionMajor: 1,
    httpVersionMinor: 1,
    headers: Object.fromEntries(headers),
    rawHeaders: headers.flat(),
  })
}

/** The cost of one request: CPU in µs, and bytes of heap, which are negative after a garbage collection. */
type Sample = readonly [cpu: number, bytes: number]

/** @throws if a request is not answered synchronously with 200 */
function measureSlice({ name, app, headers, fresh }: Candidate, socket: Socket, round: number): Sample {
  const pairs = Array.from({ length: SLICE }, (_, index) => {
    const sent = fresh?.() ?? headers[(round * SLICE + index) % headers.length] ?? {}
    const request = makeRequest(socket, sent)
    return { request, response: new ServerResponse(request) }
  })
  const heap = process.memoryUsage().heapUsed
  const before = process.cpuUsage()
  for (const { request, response } of pairs) app.routing(request, response)
  const { user, system } = process.cpuUsage(before)
  const bytes = process.memoryUsage().heapUsed - heap
  const unanswered = pairs.find(({ response }) => !response.finished || response.statusCode !== 200)
  if (unanswered) throw new Error(`${name} answered ${unanswered.response.statusCode}`)
  return [(user + system) / SLICE, bytes / SLICE]
}

function costOf(samples: readonly Sample[]): Cost {
  const cpu = samples.map(([each]) => each)
  const bytes = samples.map(([, each]) => each).filter((each) => each > 0)
  return { p10: quantile(cpu, 0.1), median: quantile(cpu, 0.5), bytes: quantile(bytes, 0.5) }
}

/**
 * Lets the candidates answer without a socket, in turns of one slice. The first quarter is the warm-up.
 * @returns the cost of each, in their order
 */
export async function measureInProcess(candidates: readonly Candidate[], rounds: number): Promise<Cost[]> {
  // Never connected. Fastify only reads its address.
  const socket = new Socket()
  EventEmitter.setMaxListeners(0, socket)
  const samples = candidates.map((): Sample[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, candidate] of candidates.entries()) {
      const sample = measureSlice(candidate, socket, round)
      if (round >= rounds / 4) samples[index]?.push(sample)
      await nextTurn()
    }
  }
  return samples.map(costOf)
}
