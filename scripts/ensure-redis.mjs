import { spawnSync } from 'node:child_process'

const HOW =
  'install it with "apt-get install redis-server" (Debian, Ubuntu) or from https://redis.io/download'

/** @param {string} command @param {string[]} args */
function answers(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

/** @param {string[]} args */
function aptGet(args) {
  // RUNLEVEL=1 keeps the package from starting a server of its own: the tests start theirs.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const { status } = spawnSync('apt-get', ['-qq', ...args], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  return status === 0
}

/**
 * Makes sure that `redis-server` is on the PATH, and installs it where it can: as root, with apt-get.
 * @returns {string | null} null when it is there, else a sentence saying what to install
 */
export function ensureRedis() {
  const found = () => answers('redis-server', ['--version'])
  if (found()) return null
  if (process.getuid?.() !== 0 || !answers('apt-get', ['--version'])) {
    return `The tests need redis-server on the PATH: ${HOW}.`
  }
  console.log('redis-server is not here: installing it with apt-get.')
  const installed = aptGet(['update']) && aptGet(['install', '-y', '--no-install-recommends', 'redis-server'])
  return installed && found()
    ? null
    : `The tests need redis-server, and apt-get could not install it: ${HOW}.`
}
