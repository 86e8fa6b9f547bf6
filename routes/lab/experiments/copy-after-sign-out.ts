import type { StateStore } from 'fastify-identity'
import type { Answered } from '../browser.js'
import { carelessRoutes, carryCareless, signInCarelessly, signOutCarelessly } from '../careless.js'
import { COOKIE_NAMES, carry, MODE_CHOICE, type Mode, modeOf, signIn } from '../credentials.js'
import { script } from '../curl.js'
import type { Experiment, Lab, Outcome, Text } from '../experiment.js'
import { overlay } from '../overlay.js'
import { USER } from '../people.js'
import { ELSEWHERE, signOut } from '../sign-out.js'

const BEFORE: Text = { en: 'A thief uses a copy', zh: '窃贼使用一份副本' }
const AFTER: Text = { en: 'The thief uses the copy again', zh: '窃贼再次使用副本' }

const VERDICTS: Readonly<Record<Mode | 'tutorial', Text>> = {
  cookie: {
    en: 'The signature is good, but the sign-in is on the list of ended ones, so the copy gets 403 SIGNED_OUT.',
    zh: '签名有效，但该登录已进入“已结束登录”列表，所以副本得到 403 SIGNED_OUT。',
  },
  session: {
    en: 'The sign-out deleted the session and listed its sign-in as ended, so the copied id gets 403 SIGNED_OUT.',
    zh: '退出时会话被删除，该登录也进入“已结束登录”列表，所以复制的 ID 得到 403 SIGNED_OUT。',
  },
  token: {
    en: 'The token has not expired, but its sign-in is on the list of ended ones, so the copy gets 403 SIGNED_OUT.',
    zh: '令牌尚未过期，但该登录已进入“已结束登录”列表，所以副本得到 403 SIGNED_OUT。',
  },
  tutorial: {
    en: 'The tutorial’s logout only asked the browser to drop its cookie, so the copy still works.',
    zh: '教程的退出只是让浏览器丢弃 Cookie，所以副本依然有效。',
  },
}

interface Ended {
  readonly signInId: string
  /** In ms. */
  readonly until: number
}

/** No entry outlives the record's absolute limit by more than an hour, the margin for clocks that differ. In ms. */
const MARGIN = 3_600_000

/** The store, noting each entry of the list of ended sign-ins. */
function noteEnds(store: StateStore, ended: Ended[], now: () => number): StateStore {
  return overlay(store, {
    async endSignIn(accountId, signInId, until) {
      const record = await store.findSignIn(accountId, signInId, now())
      const limit = record ? record.absoluteExpiresAt + MARGIN : until
      ended.push({ signInId, until: Math.min(until, limit) })
      return store.endSignIn(accountId, signInId, until)
    },
  })
}

type Played = Pick<Outcome, 'findings'> & { readonly before: Answered; readonly after: Answered }

function findingsOf(credential: string, after: Answered, lab: Lab): Outcome['findings'] {
  const asked = lab.exchanges[after.index]?.asked ?? []
  return [
    { label: { en: 'The copy', zh: '副本' }, value: credential },
    {
      label: { en: 'What the server looked at in the end', zh: '服务器最后查看了什么' },
      value: asked.map(({ what }) => what[lab.language]).join('\n') || '–',
    },
  ]
}

async function ours(lab: Lab, mode: Mode): Promise<Played> {
  const ended: Ended[] = []
  const system = lab.system()
  const center = await lab.center({ ...system, store: noteEnds(system.store, ended, lab.clock.read) })
  await center.readPicture(USER)
  const browser = lab.browser(center)
  const thief = lab.browser(center, { ip: ELSEWHERE })
  const { credential } = await signIn(browser, mode)
  const use = (title: Text) =>
    thief.send({ title, path: '/user_info', from: 'program', headers: carry(mode, credential) })
  const before = await use(BEFORE)
  await signOut(browser, mode)
  const after = await use(AFTER)
  const entries = ended.map(({ signInId, until }) => `${signInId}\n${new Date(until).toISOString()}`)
  const entry = {
    label: {
      en: 'Entry in the list of ended sign-ins. It stays until no credential of the sign-in can be valid',
      zh: '“已结束登录”列表中的条目，保留到该登录的凭证全部过期为止',
    },
    value: entries.join('\n'),
  }
  return { before, after, findings: [...findingsOf(credential, after, lab), entry] }
}

async function careless(lab: Lab): Promise<Played> {
  const { secret, store } = lab.system()
  const center = await lab.center({ secret, store, routes: carelessRoutes(secret) })
  const browser = lab.browser(center)
  const thief = lab.browser(center, { ip: ELSEWHERE })
  const copy = await signInCarelessly(browser)
  const use = (title: Text) =>
    thief.send({ title, path: '/tutorial/me', from: 'program', headers: carryCareless(copy) })
  const before = await use(BEFORE)
  await signOutCarelessly(browser)
  const after = await use(AFTER)
  return { before, after, findings: findingsOf(copy, after, lab) }
}

const byCookie = (mode: 'cookie' | 'session') => `
copy=$(login -i "$BASE/login_${mode}" | value_of ${COOKIE_NAMES[mode]})
curl -s -X POST -H "Cookie: ${COOKIE_NAMES[mode]}=$copy" "$BASE/logout_${mode}"; echo
curl -s -H "Cookie: ${COOKIE_NAMES[mode]}=$copy" "$BASE/user_info" | error
`

const BY_TOKEN = `
copy=$(login "$BASE/login_token" | field token)
curl -s -X POST -H "Authorization: Bearer $copy" "$BASE/logout_token"; echo
curl -s -H "Authorization: Bearer $copy" "$BASE/user_info" | error
`

/** What a sign-out does to a stolen copy. */
export const copyAfterSignOut: Experiment = {
  name: 'copy-after-sign-out',
  title: { en: 'Copy it, sign out, use the copy', zh: '复制凭证，退出登录，再用副本' },
  claim: {
    en: 'Signing out deletes the credential from the browser, and with that the sign-in is over.',
    zh: '退出登录会从浏览器中删除凭证，登录也就结束了。',
  },
  question: {
    en: 'A thief has copied your credential. You sign out. Does the copy still work?',
    zh: '窃贼复制了您的凭证，然后您退出登录。副本还能用吗？',
  },
  predictions: [
    { id: 'works', text: { en: 'Yes, until it expires.', zh: '能，直到它过期。' } },
    { id: 'refused', text: { en: 'No, it is refused at once.', zh: '不能，立刻被拒绝。' } },
  ],
  choices: [
    {
      ...MODE_CHOICE,
      options: [
        ...MODE_CHOICE.options,
        {
          id: 'tutorial',
          text: { en: 'The tutorial’s signed cookie', zh: '教程里的签名 Cookie' },
        },
      ],
    },
  ],
  next: [
    { text: { en: 'Choose another way to sign in.', zh: '换一种登录方式。' } },
    {
      text: {
        en: 'Sign out at one server, and use the copy at another.',
        zh: '在一台服务器退出，到另一台使用副本。',
      },
      experiment: 'two-servers',
    },
  ],
  async run(lab, choices) {
    const isOurs = choices.mode !== 'tutorial'
    const mode = modeOf(choices)
    const { before, after, findings } = isOurs ? await ours(lab, mode) : await careless(lab)
    return {
      right: after.status === 200 ? 'works' : 'refused',
      exchanges: lab.exchanges,
      compare: [before.index, after.index],
      findings,
      verdict: VERDICTS[isOurs ? mode : 'tutorial'],
      curl: script(mode === 'token' ? BY_TOKEN : byCookie(mode), '"error":"SIGNED_OUT"'),
    }
  },
}
