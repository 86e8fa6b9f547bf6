import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
// The test command installs redis-server for files that import this.
import './helpers/redis-server.js'

/** Runs the script in a process group of its own, so that nothing of it outlives the test. */
async function run(t: Test, path: string) {
  const env = { HOME: process.env.HOME ?? '', PATH: path }
  const child = spawn(process.execPath, ['scripts/lab-two.mjs'], {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL')
    } catch {
      // Everything has ended.
    }
  })
  const [output, errors, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  return { output, errors, status }
}

t.test('lab:two signs out at A, shows B, stops Redis, and starts it again', async (t) => {
  const { output, errors, status } = await run(t, process.env.PATH ?? '')
  t.equal(status, 0, `${output}${errors}`)
  for (const mode of ['cookie', 'session', 'token']) {
    t.match(output, `You sign in at A by ${mode}. B answers 200.\nYou sign out at A: 200.\n`)
    t.match(output, new RegExp(`A copy of the ${mode} at B: 403 SIGNED_OUT, at most \\d+ ms after`))
  }
  t.match(
    output,
    /so it answers 503 STORE_UNAVAILABLE\.\nRedis runs again\. B answers 200: nobody was signed out\.\n$/,
  )

  const without = await run(t, '/nonexistent')
  t.equal(without.status, 1)
  t.equal(without.errors, 'This needs redis-server. On Debian: apt-get install redis-server\n')
})
