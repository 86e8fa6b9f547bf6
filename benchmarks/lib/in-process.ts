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
}

/** CPU for one request, in µs. */
export interface Cost {
  readonly p10: number
  readonly median: number
}

/** Requests between two readings of the process's CPU time, which has a resolution of a microsecond. */
const SLICE = 500

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

/** @returns CPU for one request of a slice, in µs @throws if one is not answered synchronously with 200 */
function measureSlice({ name, app, headers }: Candidate, socket: Socket): number {
  const pairs = Array.from({ length: SLICE }, (_, index) => {
    const request = makeRequest(socket, headers[index % headers.length] ?? {})
    return { request, response: new ServerResponse(request) }
  })
  const before = process.cpuUsage()
  for (const { request, response } of pairs) app.routing(request, response)
  const { user, system } = process.cpuUsage(before)
  const unanswered = pairs.find(({ response }) => !response.finished || response.statusCode !== 200)
  if (unanswered) throw new Error(`${name} answered ${unanswered.response.statusCode}`)
  return (user + system) / SLICE
}

/**
 * Lets the candidates answer without a socket, in turns of one slice. The first quarter is the warm-up.
 * @returns the cost of each, in their order
 */
export async function measureInProcess(candidates: readonly Candidate[], rounds: number): Promise<Cost[]> {
  // Never connected. Fastify only reads its address.
  const socket = new Socket()
  EventEmitter.setMaxListeners(0, socket)
  const samples = candidates.map((): number[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, candidate] of candidates.entries()) {
      const cost = measureSlice(candidate, socket)
      if (round >= rounds / 4) samples[index]?.push(cost)
      await nextTurn()
    }
  }
  return samples.map((costs) => ({ p10: quantile(costs, 0.1), median: quantile(costs, 0.5) }))
}
