import { randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Answered, Browser } from '../browser.js'
import { askWho, carry, signIn } from '../credentials.js'
import { script } from '../curl.js'
import type { Experiment, Lab, Outcome, Text } from '../experiment.js'
import { credentialsOf, USER } from '../people.js'
import { ELSEWHERE } from '../sign-out.js'

/** A shop, where visitors have a session before they sign in. */
function shopRoutes(app: FastifyInstance): void {
  app.post('/shop/visit', { onRequest: app.useSession }, async ({ session }) => {
    Object.assign(session, { visited: true })
    return { visited: true }
  })
}

/** A server that keeps the id of a visitor who signs in. In the lab only. */
function carelessRoutes(app: FastifyInstance): void {
  const sessions = new Map<string, { username: string | null }>()
  const idOf = (cookie = '') => /(?:^|; )sid=([\w-]+)/.exec(cookie)?.[1] ?? ''
  app.post('/tutorial/visit', async (_request, reply) => {
    const id = randomBytes(16).toString('base64url')
    sessions.set(id, { username: null })
    reply.header('set-cookie', `sid=${id}; Path=/; HttpOnly; SameSite=Lax`)
    return { hello: 'stranger' }
  })
  app.post('/tutorial/login', async ({ headers }) => {
    const session = sessions.get(idOf(headers.cookie))
    if (session) session.username = USER.username
    return { hello: session?.username ?? 'stranger' }
  })
  app.get('/tutorial/me', async ({ headers }, reply) => {
    const hello = sessions.get(idOf(headers.cookie))?.username ?? null
    return hello === null ? reply.code(403).send({ error: 'NOT_SIGNED_IN' }) : { hello }
  })
}

const VISIT: Text = { en: 'The attacker visits the shop, and gets an id', zh: '攻击者访问商店，得到一个 ID' }
const LOGIN: Text = { en: 'The victim signs in', zh: '受害者登录' }
const VICTIM: Text = { en: 'The victim asks', zh: '受害者提问' }
const ATTACKER: Text = { en: 'The attacker asks, with the planted id', zh: '攻击者用植入的 ID 提问' }

interface Played {
  readonly planted: string
  /** The value of the victim's cookie after the login. */
  readonly used: string
  readonly victim: Answered
  readonly attacker: Answered
}

/** A script on another host of the same domain can set a cookie for all of the domain. */
function plant(browser: Browser, name: string, value: string): void {
  browser.cookies.keepFromScript(`${name}=${value}; Path=/`)
}

async function ours(lab: Lab, isIssued: boolean): Promise<Played> {
  const center = await lab.center({ routes: shopRoutes })
  await center.readPicture(USER)
  const [attacker, victim] = [lab.browser(center, { ip: ELSEWHERE }), lab.browser(center)]
  if (isIssued) await attacker.send({ title: VISIT, method: 'POST', path: '/shop/visit', body: {} })
  const invented = `v1.${'A'.repeat(8)}.${'B'.repeat(43)}.${'C'.repeat(43)}`
  const planted = attacker.cookies.get('session')?.value ?? invented
  plant(victim, 'session', planted)
  const { credential } = await signIn(victim, 'session', {}, LOGIN)
  return {
    planted,
    used: credential,
    victim: await askWho(victim, 'session', VICTIM),
    attacker: await attacker.send({
      title: ATTACKER,
      path: '/user_info',
      from: 'program',
      headers: carry('session', planted),
    }),
  }
}

async function careless(lab: Lab): Promise<Played> {
  const center = await lab.center({ routes: carelessRoutes })
  const [attacker, victim] = [lab.browser(center, { ip: ELSEWHERE }), lab.browser(center)]
  await attacker.send({ title: VISIT, method: 'POST', path: '/tutorial/visit', body: {} })
  const planted = attacker.cookies.get('sid')?.value ?? ''
  plant(victim, 'sid', planted)
  await victim.send({
    title: LOGIN,
    method: 'POST',
    path: '/tutorial/login',
    body: credentialsOf(USER),
  })
  return {
    planted,
    used: victim.cookies.get('sid')?.value ?? '',
    victim: await victim.send({ title: VICTIM, path: '/tutorial/me' }),
    attacker: await attacker.send({ title: ATTACKER, path: '/tutorial/me' }),
  }
}

const PLAYS: Readonly<Record<string, (lab: Lab) => Promise<Played>>> = {
  issued: (lab) => ours(lab, true),
  invented: (lab) => ours(lab, false),
  careless,
}

const VERDICTS: Readonly<Record<string, Text>> = {
  issued: {
    en: 'The sign-in gave the victim another id and deleted the planted one, so the attacker gets 403 SIGNED_OUT.',
    zh: '登录时受害者得到了新的 ID，植入的 ID 已被删除，所以攻击者得到 403 SIGNED_OUT。',
  },
  invented: {
    en: 'Our ids are signed, so an invented one is refused with 403 CREDENTIAL_INVALID and never reaches the store.',
    zh: '我们的会话 ID 带有签名，编造的 ID 以 403 CREDENTIAL_INVALID 被拒绝，不会到达存储。',
  },
  careless: {
    en: 'This server kept the planted id after the login, so the attacker is signed in as the victim.',
    zh: '这台服务器在登录后沿用植入的 ID，所以攻击者以受害者的身份登录了。',
  },
}

function findingsOf({ planted, used }: Played): Outcome['findings'] {
  return [
    { label: { en: 'The planted id', zh: '植入的 ID' }, value: planted },
    { label: { en: 'The victim’s id after the login', zh: '登录后受害者的 ID' }, value: used },
  ]
}

const REAL = `
# The attacker's own sign-in has a real id.
planted=$(login -i "$BASE/login_session" | value_of session)
own=$(login -i -H "Cookie: session=$planted" "$BASE/login_session" | value_of session)
[ -n "$own" ] && [ "$own" != "$planted" ] && echo 'the victim has another id'
curl -s -H "Cookie: session=$planted" "$BASE/user_info" | error
`
const INVENTED = `
login -i -H 'Cookie: session=invented' "$BASE/login_session" | grep -i '^set-cookie: session='
curl -s -H 'Cookie: session=invented' "$BASE/user_info" | error
`

/** Session fixation. */
export const plantedSessionId: Experiment = {
  name: 'planted-session-id',
  title: { en: 'Plant a session id before somebody signs in', zh: '在别人登录之前植入会话 ID' },
  claim: {
    en: 'A login marks the visitor’s session as signed in. Everybody who sends its id then counts as that visitor.',
    zh: '登录就是把访客的会话标记为已登录，服务器把持有该会话 ID 的人都当作用户本人。',
  },
  question: {
    en: 'An attacker puts a session id into the victim’s browser. Then the victim signs in. Who is signed in?',
    zh: '攻击者把一个会话 ID 植入受害者的浏览器，然后受害者登录。谁处于登录状态？',
  },
  predictions: [
    { id: 'both', text: { en: 'The victim and the attacker.', zh: '受害者和攻击者。' } },
    { id: 'victim', text: { en: 'Only the victim.', zh: '只有受害者。' } },
  ],
  choices: [
    {
      id: 'planted',
      label: { en: 'The planted id', zh: '植入的 ID' },
      options: [
        {
          id: 'issued',
          text: { en: 'A real one, from the attacker’s visit', zh: '真实的：攻击者访问时得到的' },
        },
        { id: 'invented', text: { en: 'An invented one', zh: '编造的' } },
        {
          id: 'careless',
          text: {
            en: 'A real one, at a server that keeps it after the login',
            zh: '真实的，但服务器在登录后沿用它',
          },
        },
      ],
    },
  ],
  next: [
    { text: { en: 'Plant another id.', zh: '植入另一种 ID。' } },
    {
      text: { en: 'See what moves into the new session.', zh: '看看哪些内容会带进新会话。' },
      experiment: 'cart-in-the-session',
    },
  ],
  async run(lab, { planted = 'issued' }) {
    const played = await (PLAYS[planted] ?? careless)(lab)
    return {
      right: played.attacker.status === 200 ? 'both' : 'victim',
      exchanges: lab.exchanges,
      compare: [played.victim.index, played.attacker.index],
      findings: findingsOf(played),
      verdict: VERDICTS[planted] ?? { en: '', zh: '' },
      curl:
        planted === 'invented'
          ? script(INVENTED, '"error":"CREDENTIAL_INVALID"')
          : script(REAL, '"error":"SIGNED_OUT"'),
    }
  },
}
