import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { makeDataDir } from '../helpers/user-center.js'
import { ROOT } from './blocks.js'
import { BUILT } from './outside.js'
import { makePrograms, runShell } from './runners.js'

/** An npm whose `start:built` starts the server with the environment that it is given, signs alice in, and stops. */
const NPM = (program: string) => `
case "$*" in
  ci | "run build") ;;
  "run start:built") exec '${process.execPath}' '${program}' ;;
  *) exit 9 ;;
esac`

const PASSWORD = 'a walrus reads the fine print'

const STARTED = `
import { existsSync } from 'node:fs'
import Fastify from '${import.meta.resolve('fastify')}'
import fp from '${import.meta.resolve('fastify-plugin')}'
import userCenter, { serverOptions } from '${join(BUILT, 'app.js')}'
// As \`fastify start\` does.
if (existsSync('.env')) process.loadEnvFile()
const app = Fastify({ ...serverOptions(process.env), logger: false })
await app.register(fp(userCenter), { env: process.env })
const payload = { username: 'alice', password: '${PASSWORD}' }
const login = await app.inject({ method: 'POST', url: '/login_cookie', payload })
const headers = { cookie: String(login.headers['set-cookie']).split(';')[0] }
const { code, data } = (await app.inject({ url: '/user_info', headers })).json()
console.log(process.env.NODE_ENV, code, data.role, headers.cookie)
await app.close()
`

/** What a server says that was started as the block has it: production, and alice is an administrator. */
export async function startInProduction(t: Test, text: string, { cwd = makeDataDir(t), env = {} } = {}) {
  const program = join(makeDataDir(t), 'started.mjs')
  writeFileSync(program, STARTED)
  const programs = makePrograms(t, { npm: NPM(program) })
  const result = await runShell(text, { cwd, env: { ...env, PROGRAMS: programs }, stdin: `${PASSWORD}\n` })
  t.equal(result.status, 0, result.stderr + result.stdout)
  t.match(result.stdout, /^The account alice was added, with the role admin\.$/m)
  t.match(result.stdout, /^production 200 admin .*__Host-identity=/m)
  return result
}

/** `.env.example`, filled in. */
export function fillIn(values: Record<string, string>): string {
  const example = readFileSync(join(ROOT, '.env.example'), 'utf8')
  return Object.entries(values).reduce(
    (text, [name, value]) => text.replace(new RegExp(`^#?${name}=.*$`, 'm'), () => `${name}='${value}'`),
    example,
  )
}
