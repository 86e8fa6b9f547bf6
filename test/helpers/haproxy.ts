import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type Center, type Running, runProcess, until } from './processes.js'
import { freePort } from './redis-server.js'

export interface Balancer extends Running {
  readonly origin: string
}

/** The header of its answers that names the server: `center0`, `center1`, … */
export const SERVED_BY = 'x-served-by'

/*
 * Each request goes to the next server. One that is gone is left out as soon as it takes no connection, and a
 * request that it left without an answer is made again elsewhere; haproxy does so for those alone that have
 * no effect when it is told to (GET, HEAD).
 */
const configuration = (port: number, centers: readonly Center[]) => `
global
  maxconn 256
defaults
  mode http
  timeout connect 1s
  timeout client 20s
  timeout server 20s
  timeout check 5s
  timeout check 5s
  option forwardfor
frontend front
  bind 127.0.0.1:${port}
  default_backend centers
backend centers
  balance roundrobin
  option httpchk GET /healthz
  option redispatch 1
  retries 3
  retry-on conn-failure empty-response
  http-request disable-l7-retry unless METH_GET
  http-response set-header ${SERVED_BY} %s
${centers.map(({ port }, index) => `  server center${index} 127.0.0.1:${port} check inter 500ms fall 3 rise 1`).join('\n')}
`

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const settle = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
  })
}

/** A real haproxy before some instances, round robin. It ends with the test. */
export async function startHaproxy(t: Pick<Test, 'teardown'>, centers: readonly Center[]): Promise<Balancer> {
  const directory = mkdtempSync(join(tmpdir(), 'haproxy-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const port = await freePort()
  const file = join(directory, 'haproxy.cfg')
  writeFileSync(file, configuration(port, centers))
  const running = runProcess(t, ['haproxy', '-db', '-f', file])
  await until(running, () => accepts(port))
  return { ...running, origin: `http://127.0.0.1:${port}` }
}
