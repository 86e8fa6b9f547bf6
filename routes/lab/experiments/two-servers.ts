import type { Answered, Browser } from '../browser.js'
import { carelessRoutes, carryCareless, signInCarelessly, signOutCarelessly } from '../careless.js'
import type { Center } from '../center.js'
import {
  COOKIE_NAMES,
  carry,
  MODE_CHOICE,
  MODE_NAMES,
  modeOf,
  type SignedIn,
  signIn,
} from '../credentials.js'
import { script } from '../curl.js'
import type { Experiment, Lab, Text } from '../experiment.js'
import { USER } from '../people.js'
import { signOut } from '../sign-out.js'

/** Two servers with the same secret. They share a store, or each has its own. */
async function openTwo(lab: Lab, isShared: boolean): Promise<readonly [a: Center, b: Center]> {
  const { secret, store } = lab.system()
  const other = isShared ? store : lab.system().store
  const routes = carelessRoutes(secret)
  const [a, b] = [
    await lab.center({ secret, store, routes }),
    await lab.center({ secret, store: other, routes }),
  ]
  await a.readPicture(USER)
  await b.readPicture(USER)
  return [a, b]
}

const AT_B: Text = { en: 'The same credential at B', zh: '在 B 使用同一凭证' }
const AT_B_AFTER: Text = { en: 'A copy at B, after the sign-out at A', zh: '在 A 退出之后，在 B 使用副本' }

/** Asks B, by a program that has a copy. */
function askB(browser: Browser, b: Center, { mode, credential }: SignedIn, title: Text): Promise<Answered> {
  return browser.send({ title, to: b, path: '/user_info', from: 'program', headers: carry(mode, credential) })
}

/** The same at servers that check nothing but a signature. */
async function playCareless(browser: Browser, b: Center): Promise<Answered> {
  const copy = await signInCarelessly(browser)
  await signOutCarelessly(browser)
  return browser.send({
    title: {
      en: 'The tutorial’s cookie at B, after its sign-out at A',
      zh: '教程的 Cookie 在 A 退出之后，在 B 使用',
    },
    to: b,
    path: '/tutorial/me',
    from: 'program',
    headers: carryCareless(copy),
  })
}

function rightOf(before: Answered, after: Answered): string {
  if (before.status !== 200) return 'never'
  return after.status === 200 ? 'still' : 'until'
}

const VERDICTS: Readonly<Record<string, (mode: Text, error: string) => Text>> = {
  apart: (_mode, error) => ({
    en: `B does not know A’s sign-ins and answers 403 ${error}, while the tutorial’s signed cookie works at B even after the sign-out.`,
    zh: `B 不知道 A 上的登录，回答 403 ${error}；而教程的签名 Cookie 在退出之后，在 B 仍然有效。`,
  }),
  shared: (mode) => ({
    en: `The store tells B of the sign-out at A, so B accepts the ${mode.en.toLowerCase()} until then and no longer.`,
    zh: `存储会把在 A 的退出告诉 B，所以 B 只在那之前接受该登录的${mode.zh}。`,
  }),
}

const LAG = {
  label: { en: 'How soon B knows', zh: 'B 多快得知' },
  value: {
    en: 'Here at once: both servers run in one process. With Redis, B has its own copy of the list of ended sign-ins, and hears of the sign-out within a second.',
    zh: '在这里是立刻，因为两台服务器在同一个进程里。使用 Redis 时，B 有自己的一份“已结束登录”列表，会在一秒之内得知。',
  },
}

const byCookie = (mode: 'cookie' | 'session') => `
B=$\{B:-$BASE}
copy=$(login -i "$BASE/login_${mode}" | value_of ${COOKIE_NAMES[mode]})
curl -s -H "Cookie: ${COOKIE_NAMES[mode]}=$copy" "$B/user_info"; echo
curl -s -X POST -H "Cookie: ${COOKIE_NAMES[mode]}=$copy" "$BASE/logout_${mode}"; echo
curl -s -H "Cookie: ${COOKIE_NAMES[mode]}=$copy" "$B/user_info" | error
`

const BY_TOKEN = `
B=$\{B:-$BASE}
copy=$(login "$BASE/login_token" | field token)
curl -s -H "Authorization: Bearer $copy" "$B/user_info"; echo
curl -s -X POST -H "Authorization: Bearer $copy" "$BASE/logout_token"; echo
curl -s -H "Authorization: Bearer $copy" "$B/user_info" | error
`

/** How a sign-out reaches every server. */
export const twoServers: Experiment = {
  name: 'two-servers',
  title: { en: 'Two servers', zh: '两台服务器' },
  claim: {
    en: 'Tokens scale to any number of servers, because every server can check the signature alone.',
    zh: '令牌可以扩展到任意多台服务器，因为每台服务器自己就能验证签名。',
  },
  question: {
    en: 'You sign in at server A, and later sign out there. A copy of your credential goes to server B. Does B accept it?',
    zh: '您在服务器 A 登录，之后在 A 退出。凭证的一份副本被送到服务器 B。B 会接受吗？',
  },
  predictions: [
    { id: 'never', text: { en: 'No, never.', zh: '从不接受。' } },
    { id: 'until', text: { en: 'Yes, until the sign-out at A.', zh: '接受，直到在 A 退出。' } },
    { id: 'still', text: { en: 'Yes, even after the sign-out.', zh: '退出之后也接受。' } },
  ],
  choices: [
    {
      id: 'store',
      label: { en: 'The servers', zh: '两台服务器' },
      options: [
        { id: 'apart', text: { en: 'have a store each', zh: '各有一个存储' } },
        { id: 'shared', text: { en: 'share one store', zh: '共用一个存储' } },
      ],
    },
    MODE_CHOICE,
  ],
  next: [
    { text: { en: 'Choose the other kind of store.', zh: '换一种存储方式。' } },
    {
      text: {
        en: 'Run “npm run lab:two” in the repository. It starts two real processes and a real Redis, and later stops Redis.',
        zh: '在仓库中运行“npm run lab:two”：它启动两个真实的进程和一个真实的 Redis，中途还会停掉 Redis。',
      },
    },
  ],
  async run(lab, choices) {
    const { store = 'apart' } = choices
    const mode = modeOf(choices)
    const [a, b] = await openTwo(lab, store === 'shared')
    const browser = lab.browser(a)
    const signedIn = await signIn(browser, mode)
    const before = await askB(browser, b, signedIn, AT_B)
    await signOut(browser, mode)
    const after = await askB(browser, b, signedIn, AT_B_AFTER)
    const careless = store === 'shared' ? null : await playCareless(browser, b)
    return {
      right: rightOf(before, after),
      exchanges: lab.exchanges,
      compare: careless ? [after.index, careless.index] : [before.index, after.index],
      findings: [
        { label: { en: 'The copy', zh: '副本' }, value: signedIn.credential },
        ...(store === 'shared' ? [{ label: LAG.label, value: LAG.value[lab.language] }] : []),
      ],
      verdict: VERDICTS[store]?.(MODE_NAMES[mode], after.error) ?? { en: '', zh: '' },
      curl: script(mode === 'token' ? BY_TOKEN : byCookie(mode), '"error":"SIGNED_OUT"'),
    }
  },
}
