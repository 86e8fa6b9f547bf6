/*
 * A user center in a process of its own, on a data directory, a mail server and perhaps a PostgreSQL database. For each line on its standard input, a
 * name, it says `stored` once the answer has come to a forgotten password of that account. A test ends it by SIGKILL.
 */
import { createInterface } from 'node:readline'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import userCenter, { serverOptions } from '../../app.js'

const [dataDir = '', url = '', databaseUrl] = process.argv.slice(2)
const env = {
  DATA_DIR: dataDir,
  MAIL_URL: url,
  MAIL_FROM: 'center@mail.example',
  PUBLIC_URL: 'https://center.example',
  ...(databaseUrl && { DATABASE_URL: databaseUrl }),
}
const app = Fastify({ ...serverOptions(env), pluginTimeout: 0 })
await app.register(fp(userCenter), { env })
await app.ready()
process.stdout.write('ready\n')
for await (const username of createInterface({ input: process.stdin })) {
  const { statusCode } = await app.inject({ method: 'POST', url: '/password/forgot', payload: { username } })
  process.stdout.write(statusCode === 202 ? 'stored\n' : `refused ${statusCode}\n`)
}
