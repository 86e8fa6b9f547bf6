import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeDataDir } from '../../helpers/user-center.js'
import { notRun, type Page, runShell } from '../runners.js'

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
  nginx: notRun('no test has an nginx', async (t, text) => {
    t.equal(text.split('{').length, text.split('}').length, 'its braces match')
    for (const line of text.split('\n')) if (line.trim()) t.match(line, /[;{}]$/, line)
    t.match(text, /proxy_set_header Host \$http_host;\s+proxy_set_header X-Forwarded-For \$remote_addr;/)
  }),
}

export default page
