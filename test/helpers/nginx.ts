import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type Running, runProcess, until } from './processes.js'

/** What Debian's nginx.conf has around a site. One process, so that nothing is left when it is killed. */
const around = (directory: string, site: string) => `
daemon off;
master_process off;
pid ${directory}/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((of) => `  ${of}_temp_path ${directory}/${of};`).join('\n')}
${site}
}
`

/** Writes a configuration with this site. @returns the arguments with which nginx reads it */
export function nginxArguments(t: Pick<Test, 'teardown'>, site: string): ['nginx', ...string[]] {
  const directory = mkdtempSync(join(tmpdir(), 'nginx-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'nginx.conf')
  writeFileSync(file, around(directory, site))
  return ['nginx', '-e', 'stderr', '-p', directory, '-c', file]
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })

/** A real nginx with this site, which listens on that port. It ends with the test. */
export async function startNginx(t: Pick<Test, 'teardown'>, site: string, port: number): Promise<Running> {
  const running = runProcess(t, nginxArguments(t, site))
  await until(running, () => accepts(port))
  return running
}
