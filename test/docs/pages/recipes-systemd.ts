import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { readConfig } from '../../../plugins/lib/config/config.js'
import { makeDataDir } from '../../helpers/user-center.js'
import { ROOT, textOf } from '../blocks.js'
import { notRun, type Page, runShell } from '../runners.js'

/** The settings of systemd.unit(5), systemd.service(5), systemd.exec(5) and systemd.kill(5) that the page uses. */
const KNOWN: Record<string, RegExp> = {
  Unit: /^(Description|Wants|After|StartLimit(IntervalSec|Burst))$/,
  Service:
    /^(Type|User|WorkingDirectory|EnvironmentFile|StateDirectory(Mode)?|ExecStart|KillSignal|TimeoutStopSec|Restart(Sec)?|LimitNOFILE|UMask|NoNewPrivileges|CapabilityBoundingSet|Private(Devices|Tmp)|Protect(ControlGroups|Home|Kernel(Modules|Tunables)|System)|Restrict(AddressFamilies|SUIDSGID))$/,
  Install: /^WantedBy$/,
}

/** The settings of a unit file, each with its section before it: `Service.User`. */
function settingsOf(t: Test, text: string): Map<string, string> {
  const settings = new Map<string, string>()
  let section = ''
  for (const line of text.split('\n').filter(Boolean)) {
    const [, name] = /^\[(\w+)\]$/.exec(line) ?? []
    if (name) section = name
    else {
      const [, key = '', value = ''] = /^(\w+)=(.*)$/.exec(line) ?? []
      t.match(key, KNOWN[section] ?? /^$/, line)
      t.notOk(settings.has(`${section}.${key}`), `${key}: once`)
      settings.set(`${section}.${key}`, value)
    }
  }
  return settings
}

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')

/** The environment file as systemd reads it. */
const environmentOf = (text: string) =>
  Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => line.split(/=(.*)/s)),
  )

const page: Page = {
  unit: notRun('the tests have no systemd', async (t, text) => {
    const settings = settingsOf(t, text)
    const command = settings.get('Service.ExecStart')?.replace('/usr/bin/node node_modules/.bin/', '')
    t.equal(`exec ${command}`, JSON.parse(read('package.json')).scripts['start:built'])
    const [, grace] = /closeGraceDelay: ([\d_]+)/.exec(read('scripts/start-options.cjs')) ?? []
    const stop = Number(settings.get('Service.TimeoutStopSec')) * 1000
    t.ok(stop > Number(grace?.replace('_', '')), 'it may finish its requests')
    const { DATA_DIR } = environmentOf(textOf('docs/recipes/systemd.md', 'environment'))
    t.equal(DATA_DIR, `/var/lib/${settings.get('Service.StateDirectory')}`)
  }),
  environment: async (t, text) => {
    const environment = environmentOf(text)
    t.throws(() => readConfig(environment), /AUTH_SECRETS/, 'the secret is left to the reader')
    const config = readConfig({ ...environment, AUTH_SECRETS: 'kPz3Vt9_QyX2mWc7HsB4nLd8RfJ1gTa6' })
    t.match(config, { production: true, redisUrl: null, databaseUrl: null, dataDir: environment.DATA_DIR })
  },
  start: notRun('the tests have no systemd', async (t, text) => {
    const { status, stderr } = await runShell('sh -n', { cwd: makeDataDir(t), stdin: text })
    t.equal(status, 0, stderr)
    t.match(text, /plugins\/bin\/fastify-identity\.mjs account add alice --role admin/)
  }),
}

export default page
