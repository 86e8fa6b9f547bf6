import { EventEmitter } from 'node:events'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { quantile } from './statistics.js'

/** An application, and the headers of the requests that it is sent in turn. */
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

/** Requests between two looks at the process's CPU time, whose unit is a microsecond. */
const SLICE = 500

/** A copy, as a parser makes one: V8 would remember the hash of the same string. */
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

/** @returns CPU for one request of a slice, in µs @throws when one is not answered at once with 200 */
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
 * Has the candidates answer in turn, a slice each, without a socket. The first quarter warms them up.
 * @returns what each costs, in their order
 */
export async function measureInProcess(candidates: readonly Candidate[], rounds: number): Promise<Cost[]> {
  // Never connected. Fastify looks at its address alone.
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
