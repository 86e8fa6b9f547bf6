import { spawnSync } from 'node:child_process'

/** Programs that the tests start, with a harmless option to check for each. The names are Debian packages. */
const PROGRAMS = [
  { name: 'redis-server', command: 'redis-server', option: '-v' },
  { name: 'haproxy', command: 'haproxy', option: '-v' },
  { name: 'nginx-light', command: 'nginx', option: '-v' },
  { name: 'postgresql-15', command: 'postgres', option: '-V' },
  { name: 'chromium', command: 'chromium', option: '--version' },
]

/** @param {string} command */
function answers(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0
}

/** @typedef {{ name: string, command: string, option: string }} Program */

/** The packages of programs that are not on the PATH. wrk prints its version and exits with an error. @param {Program[]} programs */
const missing = (programs) =>
  programs
    .filter(({ command, option }) => spawnSync(command, [option], { stdio: 'ignore' }).error !== undefined)
    .map(({ name }) => name)

/** @param {string[]} args */
function aptGet(args) {
  // RUNLEVEL=1 stops a package from starting its own server. The tests start theirs.
  // (PostgreSQL's package still creates the files of a server.)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const { status } = spawnSync('apt-get', ['-qq', ...args], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  return status === 0
}

/** @param {string[]} programs */
const how = (programs) =>
  `"apt-get install ${programs.join(' ')}" does it on Debian 12, https://redis.io/download, https://www.haproxy.org, https://nginx.org and https://www.postgresql.org/download help elsewhere.`

/**
 * Checks that the programs are on the PATH. As root, installs missing ones with apt-get.
 * @param {Program[]} [programs]
 * @param {string} [who] needs them
 * @returns {string | null} null if all are present, otherwise a sentence that says what to install
 */
export function ensurePrograms(programs = PROGRAMS, who = 'The tests') {
  const absent = missing(programs)
  if (absent.length === 0) return null
  if (process.getuid?.() !== 0 || !answers('apt-get')) {
    return `${who} need ${absent.join(' and ')} on the PATH: ${how(absent)}`
  }
  console.log(`${absent.join(' and ')} not here: installing with apt-get.`)
  const installed = aptGet(['update']) && aptGet(['install', '-y', '--no-install-recommends', ...absent])
  const still = missing(programs)
  if (installed && still.length === 0) return null
  return `${who} need ${absent.join(' and ')}, and apt-get could not install that: ${how(absent)}`
}
