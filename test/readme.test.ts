import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { type Test, test } from 'tap'
import { listen } from './helpers/http.js'
import { startRedis } from './helpers/redis-server.js'
import { makeDataDir, startUserCenter } from './helpers/user-center.js'

const run = promisify(execFile)

/** The README's walk through the modes, against another port. */
function walkScript(port: number): string {
  const readme = readFileSync('README.md', 'utf8')
  const script = /<!-- walk -->\n```sh\n([\s\S]*?)```/.exec(readme)?.[1]
  if (!script) throw new Error('the README has no walk')
  return script.replace('http://127.0.0.1:3000', `http://127.0.0.1:${port}`)
}

interface Step {
  readonly code: number
  readonly auth_type?: string
  readonly error?: string
  readonly data?: unknown
}

/** Runs the walk with curl, as somebody would who reads the README, and returns the answers in their order. */
async function walk(t: Test, env: Record<string, string> = {}): Promise<Step[]> {
  const { app } = await startUserCenter(t, env)
  const script = walkScript(await listen(app))
  const { stdout } = await run('sh', ['-ec', script], { cwd: makeDataDir(t) })
  // The answers stand one behind the other, as curl leaves them.
  return JSON.parse(`[${stdout.replaceAll('}{', '},{')}]`)
}

const EXPECTED = [
  { code: 200, auth_type: 'cookie' },
  { code: 200, auth_type: 'cookie', data: { username: 'user1', role: 'user' } },
  { code: 200, auth_type: 'cookie' },
  { code: 403, error: 'SIGNED_OUT' },

  { code: 200, auth_type: 'session' },
  { code: 200, auth_type: 'session', data: { username: 'user1', role: 'user' } },
  { code: 200, data: [{ auth_type: 'session', current: true }] },
  { code: 200, data: { ended: 0 } },
  { code: 200, auth_type: 'session' },

  { code: 200, auth_type: 'token', data: { username: 'user1', role: 'user' } },
  { code: 200, auth_type: 'token', data: { token_type: 'Bearer' } },
  { code: 200, auth_type: 'token' },
  { code: 403, error: 'SIGNED_OUT' },
]

test('the README’s walk gives what it says on the embedded default', async (t) => {
  t.match(await walk(t), EXPECTED)
})

test('the README’s walk gives the same on Redis', async (t) => {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  t.match(await walk(t, { REDIS_URL: redis.url }), EXPECTED)
})
