import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Test } from 'tap'
import userCenter, { serverOptions } from '../../app.js'
import { TestClock } from './clock.js'

/** Far from the real time, so that nothing can lean on the machine's clock. In ms. */
const START = Date.UTC(2031, 0, 1)

export type CenterClock = ReturnType<typeof testClock>

/** A clock that can be called, and that a test moves forward by seconds. */
export function testClock() {
  const clock = new TestClock(START)
  return Object.assign(() => clock.now, { advance: (seconds: number) => clock.advance(seconds) })
}

export interface UserCenter {
  readonly app: FastifyInstance
  readonly clock: CenterClock
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
  const app = Fastify({ ...serverOptions(full), pluginTimeout: 0 })
  t.teardown(() => app.close())
  await app.register(fp(userCenter), { env: full, clock, referenceClock })
  await app.ready()
  return { app, clock, dataDir }
}
