import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import type { Test } from 'tap'

type Teardown = Pick<Test, 'teardown'>

/** A mail as a real server received it. */
export interface ReceivedMail {
  /** Of the envelope. */
  readonly to: readonly string[]
  readonly from: string
  /** All header lines, unfolded. */
  readonly head: string
  readonly id: string
  readonly text: string
}

export interface MailServer {
  readonly port: number
  readonly url: string
  readonly mails: ReceivedMail[]
  /** The next mail that nobody has taken yet. */
  next(): Promise<ReceivedMail>
}

function bodyOf(head: string, body: string): string {
  if (/^content-transfer-encoding: base64/im.test(head)) return Buffer.from(body, 'base64').toString()
  if (!/^content-transfer-encoding: quoted-printable/im.test(head)) return body
  const joined = body.replace(/=\r?\n/g, '')
  const bytes = joined.replace(/=([\dA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return Buffer.from(bytes, 'latin1').toString()
}

function parse(raw: string, from: string, to: readonly string[]): ReceivedMail {
  const end = raw.indexOf('\r\n\r\n')
  const head = raw.slice(0, end).replace(/\r\n[ \t]+/g, ' ')
  const id = /^message-id: (.*)$/im.exec(head)?.[1]?.trim() ?? ''
  return { to, from, head, id, text: bodyOf(head, raw.slice(end + 4)).replaceAll('\r\n', '\n') }
}

async function portOf(server: { address(): unknown }): Promise<number> {
  const address = Object(server.address())
  return Number(address.port)
}

/** An SMTP server on a free port, which ends with the test. */
export async function startMailServer(t: Teardown, options: SMTPServerOptions = {}): Promise<MailServer> {
  const mails: ReceivedMail[] = []
  const taken = { count: 0 }
  let wake = () => {}
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    authOptional: true,
    onData(stream, session, callback) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => void chunks.push(chunk))
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope
        const from = mailFrom ? mailFrom.address : ''
        mails.push(
          parse(
            Buffer.concat(chunks).toString('latin1'),
            from,
            rcptTo.map(({ address }) => address),
          ),
        )
        callback()
        wake()
      })
    },
    ...options,
  })
  // A client that goes away is no fault of the server.
  server.on('error', () => {})
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  t.teardown(() => new Promise<void>((resolve) => server.close(() => resolve())))
  const port = await portOf(server.server)
  const next = async () => {
    while (mails.length <= taken.count) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    const mail = mails[taken.count]
    taken.count += 1
    if (!mail) throw new Error('there is no mail')
    return mail
  }
  return { port, url: `smtp://127.0.0.1:${port}`, mails, next }
}

/** A server that does with its connections whatever a test likes. */
export async function startRawServer(t: Teardown, onConnection: (socket: Socket) => void) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    onConnection(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  })
  const port = await portOf(server)
  return { port, url: `smtp://127.0.0.1:${port}` }
}
