import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { type Credential, post, signIn, USER } from './http.js'
import { type MailServer, startMailServer } from './mail-server.js'
import { startUserCenter, testClock } from './user-center.js'

export const SITE = 'https://center.example'
export const FROM = 'center@mail.example'
export const ADDRESS = 'user1@mail.example'

/** The settings of a center that hands its mails to this server. */
export const mailEnv = (url: string) => ({ MAIL_URL: url, MAIL_FROM: `Center <${FROM}>`, PUBLIC_URL: SITE })

/** A user center with a real mail server. */
export async function startMailCenter(
  t: Test,
  env: Record<string, string> = {},
  server?: MailServer,
  clock = testClock(),
) {
  const mailServer = server ?? (await startMailServer(t))
  const center = await startUserCenter(t, { ...mailEnv(mailServer.url), ...env }, clock)
  return { ...center, mailServer }
}

export const codeIn = (text: string) => /\b\d{8}\b/.exec(text)?.[0] ?? ''
export const tokenIn = (text: string) => /#reset=([\w-]+)/.exec(text)?.[1] ?? ''

/** What `find` finds in the next mail that has it. The notices of earlier changes may come first. */
export async function nextIn(mailServer: MailServer, find: (text: string) => string): Promise<string> {
  let found = ''
  while (found === '') found = find((await mailServer.next()).text)
  return found
}

/** Gives an account a confirmed address, over HTTP. */
export async function confirmAddress(
  { app, mailServer }: { readonly app: FastifyInstance; readonly mailServer: MailServer },
  email = ADDRESS,
  who = USER,
  credential?: Credential,
): Promise<void> {
  const headers = credential ?? (await signIn(app, 'cookie', who)).credential
  const asked = await post(app, '/email', { email }, headers)
  const code = await nextIn(mailServer, codeIn)
  const confirmed = await post(app, '/email/confirm', { code }, headers)
  if (confirmed.statusCode !== 200) throw new Error(`${asked.body} ${confirmed.body}`)
}
