import type { Answered, Browser } from '../browser.js'
import { script } from '../curl.js'
import { DeviceKey } from '../device-key.js'
import type { Experiment, Lab, Text } from '../experiment.js'
import { credentialsOf, USER } from '../people.js'
import { ELSEWHERE } from '../sign-out.js'

/** Browsers bind sign-ins over TLS only. */
const ORIGIN = 'https://localhost:3000'

/** As long as a proof is good. In seconds. */
const PROOF_FOR = 20 * 60

const TITLES = {
  login: { en: 'Sign in by cookie', zh: '以 Cookie 方式登录' },
  register: { en: 'The browser registers a key for this sign-in', zh: '浏览器为这次登录注册一个密钥' },
  atOnce: { en: 'A thief uses a copy of all cookies', zh: '窃贼使用全部 Cookie 的副本' },
  later: { en: 'The thief again, 20 minutes later', zh: '20 分钟之后，窃贼再次使用副本' },
  refresh: { en: 'The browser answers the last challenge', zh: '浏览器回答上一个质询' },
  again: { en: 'The browser answers the new challenge', zh: '浏览器回答新的质询' },
  goOn: { en: 'The browser goes on', zh: '浏览器继续使用' },
  signOut: { en: 'Sign out', zh: '退出登录' },
  late: { en: 'The browser asks for one more proof', zh: '浏览器再请求一份证明' },
  after: { en: 'The thief, after the sign-out', zh: '退出登录之后，窃贼再用副本' },
} as const satisfies Readonly<Record<string, Text>>

const VERDICTS: Readonly<Record<'binds' | 'cannot', Text>> = {
  binds: {
    en: 'The copy worked until its proof expired, and then got 403 DEVICE_PROOF_REQUIRED, because only the browser has the key that signs the next proof.',
    zh: '副本一直可用到其中的证明过期，随后得到 403 DEVICE_PROOF_REQUIRED，因为只有浏览器持有签署下一份证明的密钥。',
  },
  cannot: {
    en: 'The sign-in was not bound to a key, so the copy worked like the original until the sign-out, and then got 403 SIGNED_OUT.',
    zh: '这次登录没有绑定任何密钥，所以副本与原件一样可用，直到退出登录后得到 403 SIGNED_OUT。',
  },
}

interface Scene {
  readonly browser: Browser
  /** Null for a browser that cannot bind. */
  readonly key: DeviceKey | null
  /** Sends the copied cookies. */
  readonly steal: (title: Text) => Promise<Answered>
  readonly copy: string
}

const ask = (browser: Browser, title: Text) => browser.send({ title, path: '/user_info' })

async function begin(lab: Lab, binds: boolean): Promise<Scene> {
  const center = await lab.center({ origin: ORIGIN, suite: { deviceBinding: { mode: 'on' } } })
  await center.readPicture(USER)
  const browser = lab.browser(center)
  const body = credentialsOf(USER)
  const login = await browser.send({ title: TITLES.login, method: 'POST', path: '/login_cookie', body })
  const key = binds ? new DeviceKey(lab, browser) : null
  await key?.register(login, TITLES.register)
  const carrier = { path: '/user_info', isSafe: true, isCrossSite: false, isNavigation: false }
  const copy = browser.cookies.header(carrier) ?? ''
  const thief = lab.browser(center, { ip: ELSEWHERE })
  const steal = (title: Text) =>
    thief.send({ title, path: '/user_info', from: 'program', headers: { cookie: copy } })
  return { browser, key, steal, copy }
}

/** Signs out. After that, the browser gets no further proof, and the copy is refused. */
async function end({ browser, key, steal }: Scene): Promise<void> {
  await browser.send({ title: TITLES.signOut, method: 'POST', path: '/logout_cookie' })
  await key?.refresh(TITLES.late, TITLES.again)
  await steal(TITLES.after)
}

const CURL = `
# Browsers bind sign-ins over https only. This server has plain http, so it offers nothing to bind, and a copy works:
answer=$(login -i "$BASE/login_cookie")
grep -ci '^secure-session-registration:' <<< "$answer" || true
copy=$(value_of identity <<< "$answer")
curl -s -H "Cookie: identity=$copy" "$BASE/user_info" | grep -o '"auth_type":"[a-z]*"'
`

/** What a copied cookie jar is worth if the sign-in is bound to a device. */
export const copiedJar: Experiment = {
  name: 'copied-jar',
  title: { en: 'Copy the jar to another browser', zh: '把全部 Cookie 复制到另一个浏览器' },
  claim: {
    en: 'Malware that copies all cookies of a browser is signed in as you, for as long as you are.',
    zh: '恶意软件复制了浏览器的全部 Cookie 之后，只要您还处于登录状态，它就能一直冒充您。',
  },
  question: {
    en: 'A thief copies every cookie of your browser. What is the copy worth after 20 minutes, while you are still signed in?',
    zh: '窃贼复制了您浏览器中的每一个 Cookie。20 分钟之后，您仍处于登录状态，副本还能用吗？',
  },
  predictions: [
    { id: 'works', text: { en: 'It works like the original.', zh: '能，与原件一样可用。' } },
    { id: 'refused', text: { en: 'It is refused, and you stay signed in.', zh: '不能，而您仍保持登录。' } },
    {
      id: 'both',
      text: { en: 'It is refused, and you are signed out too.', zh: '不能，而您也被退出登录。' },
    },
  ],
  choices: [
    {
      id: 'browser',
      label: { en: 'Your browser', zh: '您的浏览器' },
      options: [
        { id: 'binds', text: { en: 'binds sign-ins to a key', zh: '能把登录绑定到密钥' } },
        { id: 'cannot', text: { en: 'cannot do that', zh: '不支持绑定' } },
      ],
    },
  ],
  next: [
    { text: { en: 'Choose the other browser.', zh: '换成另一种浏览器。' } },
    {
      text: { en: 'See what a sign-out does to a copy.', zh: '看看退出登录对副本有什么作用。' },
      experiment: 'copy-after-sign-out',
    },
  ],
  async run(lab, { browser }) {
    const binds = browser !== 'cannot'
    const scene = await begin(lab, binds)
    const before = await scene.steal(TITLES.atOnce)
    lab.clock.advance(PROOF_FOR)
    const after = await scene.steal(TITLES.later)
    await scene.key?.refresh(TITLES.refresh, TITLES.again)
    await ask(scene.browser, TITLES.goOn)
    await end(scene)
    return {
      right: after.status === 200 ? 'works' : 'refused',
      exchanges: lab.exchanges,
      compare: [before.index, after.index],
      findings: [{ label: { en: 'The copied cookies', zh: '复制的 Cookie' }, value: scene.copy }],
      verdict: VERDICTS[binds ? 'binds' : 'cannot'],
      curl: script(CURL, '"auth_type":"cookie"'),
    }
  },
}
