import { BodyInvalid } from '../http/errors.js'
import { type Answered, type Browser, textAt } from './browser.js'
import type { Center } from './center.js'
import type { Edit } from './experiment.js'
import { credentialsOf, USER } from './people.js'
import type { Text } from './text.js'

export type Mode = 'cookie' | 'session' | 'token'

export const COOKIE_NAMES = { cookie: 'identity', session: 'session' } as const

export const MODE_NAMES: Readonly<Record<Mode, Text>> = {
  cookie: { en: 'Cookie', zh: 'Cookie' },
  session: { en: 'Session', zh: '会话' },
  token: { en: 'Token', zh: '令牌' },
}

/** The choice of a mode. */
export const MODE_CHOICE = {
  id: 'mode',
  label: { en: 'Sign in by', zh: '登录方式' },
  options: (['cookie', 'session', 'token'] as const).map((id) => ({ id, text: MODE_NAMES[id] })),
}

/** A listed choice as a mode. */
export function modeOf({ mode }: Readonly<Record<string, string>>): Mode {
  return mode === 'session' || mode === 'token' ? mode : 'cookie'
}

export interface SignedIn {
  readonly answered: Answered
  readonly mode: Mode
  /** The cookie's value, or the access token. */
  readonly credential: string
}

const titleOf = (mode: Mode): Text => ({ en: `Sign in by ${mode}`, zh: `以${MODE_NAMES[mode].zh}方式登录` })

/**
 * Signs in, and remembers a token where the page does: in `localStorage`.
 * @param rest further fields of the body
 */
export async function signIn(
  browser: Browser,
  mode: Mode,
  rest: object = {},
  title: Text = titleOf(mode),
): Promise<SignedIn> {
  const answered = await browser.send({
    title,
    method: 'POST',
    path: `/login_${mode}`,
    body: { ...credentialsOf(USER), ...rest },
  })
  if (mode === 'token') {
    const token = textAt(answered.json, 'data', 'token')
    browser.storage.set('access token', token)
    return { answered, mode, credential: token }
  }
  const kept = browser.cookies.get(COOKIE_NAMES[mode])
  if (!kept) throw new Error(`the sign-in by ${mode} has set no cookie`)
  return { answered, mode, credential: kept.value }
}

/** The header that carries a credential. For cookies, it replaces the browser's own. */
export function carry(mode: Mode, credential: string): Record<string, string> {
  if (mode === 'token') return { authorization: `Bearer ${credential}` }
  return { cookie: `${COOKIE_NAMES[mode]}=${credential}` }
}

/** Asks who the caller is, as the page does. A browser adds its cookies by itself; a token, only the page can add. */
export function askWho(browser: Browser, mode: Mode, title: Text, to?: Center): Promise<Answered> {
  const token = browser.storage.get('access token') ?? ''
  return browser.send({ title, to, path: '/user_info', headers: mode === 'token' ? carry(mode, token) : {} })
}

/** The text with one character replaced. @throws BODY_INVALID behind its end */
export function edited(text: string, { at, to }: Edit): string {
  if (at >= text.length) throw new BodyInvalid()
  return text.slice(0, at) + to + text.slice(at + 1)
}

const json = (part: string): string =>
  JSON.stringify(JSON.parse(Buffer.from(part, 'base64url').toString()), null, 2)

/** What anybody can read in a credential, without a key. */
export function readWithoutKey(mode: Mode, credential: string): string {
  const parts = credential.split('.')
  if (mode === 'token') return parts.slice(0, 2).map(json).join('\n')
  return mode === 'cookie' ? json(parts[2] ?? '') : `${parts[2]}`
}
