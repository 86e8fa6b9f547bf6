import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nginxArguments } from '../../helpers/nginx.js'
import { freePort } from '../../helpers/redis-server.js'
import { makeDataDir } from '../../helpers/user-center.js'
import { type Page, runShell } from '../runners.js'

/** A front of our own before the backend, which the page leaves to its reader. */
const FRONT = 'frontend front\n  bind 127.0.0.1:18080\n  default_backend centers\n'

const page: Page = {
  haproxy: async (t, text) => {
    const cwd = makeDataDir(t)
    writeFileSync(join(cwd, 'haproxy.cfg'), text + FRONT)
    const { status, stderr } = await runShell('haproxy -c -f haproxy.cfg', { cwd })
    t.equal(status, 0, stderr)
    t.notMatch(stderr, /WARNING|ALERT/)
  },
  nginx: async (t, text) => {
    const site = text.replace(
      'server {\n  location',
      `server {\n  listen 127.0.0.1:${await freePort()};\n  location`,
    )
    const [program, ...rest] = nginxArguments(t, site)
    const { status, stderr } = await runShell([program, '-t', ...rest].join(' '), { cwd: makeDataDir(t) })
    t.equal(status, 0, stderr)
    t.notMatch(stderr, /\[(warn|emerg)\]/)
    t.match(text, /proxy_set_header Host \$http_host;\s+proxy_set_header X-Forwarded-For \$remote_addr;/)
  },
}

export default page
