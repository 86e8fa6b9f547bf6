import { spawnSync } from 'node:child_process'

/** What the tests start, beside Node.js: each is a Debian package of the same name. */
const PROGRAMS = ['redis-server', 'haproxy']

/** @param {string} command @param {string} option */
function answers(command, option = '--version') {
  return spawnSync(command, [option], { stdio: 'ignore' }).status === 0
}

/** Those that are not on the PATH. Each of them takes `-v`. */
const missing = () => PROGRAMS.filter((program) => !answers(program, '-v'))

/** @param {string[]} args */
function aptGet(args) {
  // RUNLEVEL=1 keeps a package from starting a server of its own: the tests start theirs.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const { status } = spawnSync('apt-get', ['-qq', ...args], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  return status === 0
}

/** @param {string[]} programs */
const how = (programs) =>
  `"apt-get install ${programs.join(' ')}" does it on Debian and Ubuntu, https://redis.io/download and https://www.haproxy.org help elsewhere.`

/**
 * Makes sure that what the tests start is on the PATH, and installs it where it can: as root, with apt-get.
 * @returns {string | null} null when all of it is there, else a sentence saying what to install
 */
export function ensurePrograms() {
  const absent = missing()
  if (absent.length === 0) return null
  if (process.getuid?.() !== 0 || !answers('apt-get')) {
    return `The tests need ${absent.join(' and ')} on the PATH: ${how(absent)}`
  }
  console.log(`${absent.join(' and ')} not here: installing with apt-get.`)
  const installed = aptGet(['update']) && aptGet(['install', '-y', '--no-install-recommends', ...absent])
  const still = missing()
  if (installed && still.length === 0) return null
  return `The tests need ${absent.join(' and ')}, and apt-get could not install that: ${how(absent)}`
}
