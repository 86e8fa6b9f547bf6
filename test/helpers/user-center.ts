import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Test } from 'tap'
import userCenter, { serverOptions } from '../../app.js'

/** Far from the real time, so that nothing can lean on the machine's clock. In ms. */
const START = Date.UTC(2031, 0, 1)

export interface TestClock {
  (): number
  /** Moves the time forward by so many seconds. */
  advance(seconds: number): void
}

export function testClock(): TestClock {
  let now = START
  const clock = () => now
  return Object.assign(clock, {
    advance: (seconds: number) => {
      now += seconds * 1000
    },
  })
}

export interface UserCenter {
  readonly app: FastifyInstance
  readonly clock: TestClock
  readonly dataDir: string
}

/** A data directory that goes when the test ends. */
export function makeDataDir(t: Test): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'fastify-identity-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  return dataDir
}

/** The user center on an embedded store of its own, ready, and closed when the test ends. Redis' clock is the same one. */
export async function startUserCenter(
  t: Test,
  env: Record<string, string> = {},
  clock = testClock(),
  referenceClock = clock,
): Promise<UserCenter> {
  const dataDir = env.DATA_DIR ?? makeDataDir(t)
  const full = { ...env, DATA_DIR: dataDir }
  const app = Fastify(serverOptions(full))
  t.teardown(() => app.close())
  await app.register(fp(userCenter), { env: full, clock, referenceClock })
  await app.ready()
  return { app, clock, dataDir }
}
