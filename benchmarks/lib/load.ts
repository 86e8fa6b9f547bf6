import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Headers } from './credentials.js'
import { CONNECTIONS } from './setting.js'
import { workDirectory } from './work-directory.js'

/*
 * wrk instead of autocannon: on one core, wrk sends several times as many requests as a bare Fastify route can answer.
 * autocannon sends fewer, so it would be the bottleneck. wrk does not check bodies; a separate check does.
 */

const Report = Type.Object({
  requests: Type.Number(),
  micros: Type.Number(),
  bytes: Type.Number(),
  failed: Type.Number(),
  p50: Type.Number(),
  p99: Type.Number(),
  cpu: Type.Number(),
})

export interface Load {
  readonly requests: number
  readonly seconds: number
  readonly perSecond: number
  /** Answers above 399, and requests without an answer. */
  readonly failed: number
  /** Bytes of an answer, including headers. */
  readonly bytes: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** Share of its core that the generator used. Near 1 it was the bottleneck. */
  readonly generator: number
}

/** Sends requests for this long, with the headers of the next user each time. */
export async function generateLoad(url: string, clients: readonly Headers[], seconds: number): Promise<Load> {
  const file = join(workDirectory(), 'headers')
  writeFileSync(file, `${clients.map(lineOf).join('\n')}\n`)
  // wrk counts in whole seconds.
  const duration = Math.max(1, Math.round(seconds))
  const args = [
    '-t1',
    `-c${CONNECTIONS}`,
    `-d${duration}s`,
    '-s',
    'benchmarks/lib/rotate.lua',
    url,
    '--',
    file,
  ]
  const { stdout } = await promisify(execFile)('wrk', args)
  const report = Value.Parse(Report, JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''))
  const taken = report.micros / 1e6
  return {
    requests: report.requests,
    seconds: taken,
    perSecond: report.requests / taken,
    failed: report.failed,
    bytes: report.bytes / report.requests,
    p50: report.p50 / 1000,
    p99: report.p99 / 1000,
    generator: report.cpu / taken,
  }
}

function lineOf(headers: Headers): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\t')
}
