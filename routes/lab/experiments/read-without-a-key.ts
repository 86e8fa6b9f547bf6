import {
  askWho,
  COOKIE_NAMES,
  carry,
  edited,
  MODE_CHOICE,
  type Mode,
  modeOf,
  readWithoutKey,
  signIn,
} from '../credentials.js'
import { script } from '../curl.js'
import type { Edit, Experiment } from '../experiment.js'
import { USER } from '../people.js'
import type { Text } from '../text.js'

const READ: Readonly<Record<Mode, Text>> = {
  cookie: { en: 'Anybody can read the cookie', zh: '任何人都能读懂 Cookie 的内容' },
  session: {
    en: 'Anybody can read the session id, which says nothing about you',
    zh: '任何人都能读到会话 ID，但它不透露您的任何信息',
  },
  token: { en: 'Anybody can read the token', zh: '任何人都能读懂令牌的内容' },
}

/** Replaces a character in the middle, where each mode has its content. */
function usualEdit(credential: string): Edit {
  const at = Math.floor(credential.length / 2)
  return { at, to: credential[at] === 'A' ? 'B' : 'A' }
}

function verdictOf(mode: Mode, status: number, error: string): Text {
  const { en, zh } = READ[mode]
  if (error === '')
    return {
      en: `${en}, and this edit changed nothing, so the server accepts it.`,
      zh: `${zh}；这次编辑没有改变任何字符，所以服务器照常接受。`,
    }
  return {
    en: `${en}, but a copy with one changed character is refused with ${status} ${error}.`,
    zh: `${zh}；但只要改动一个字符，服务器就以 ${status} ${error} 拒绝。`,
  }
}

/** Changes the first character of a part: of the content, or of the id. */
const tamper = (parts: number) => `
IFS=. read -r -a part <<< "$credential"
case "$\{part[${parts}]}" in A*) first=B ;; *) first=A ;; esac
part[${parts}]="$first$\{part[${parts}]:1}"
changed=$(IFS=.; echo "$\{part[*]}")
`

const byCookie = (mode: 'cookie' | 'session') => `
credential=$(login -i "$BASE/login_${mode}" | value_of ${COOKIE_NAMES[mode]})
${mode === 'cookie' ? 'cut -d. -f3 <<< "$credential" | decode; echo' : 'cut -d. -f3 <<< "$credential"'}
${tamper(2).trim()}
curl -s -H "Cookie: ${COOKIE_NAMES[mode]}=$changed" "$BASE/user_info" | error
`

const BY_TOKEN = `
credential=$(login "$BASE/login_token" | field token)
cut -d. -f2 <<< "$credential" | decode; echo
${tamper(1).trim()}
curl -s -H "Authorization: Bearer $changed" "$BASE/user_info" | error
`

/** A signature is no encryption. */
export const readWithoutAKey: Experiment = {
  name: 'read-without-a-key',
  title: { en: 'Read it without a key', zh: '不用密钥读凭证' },
  claim: {
    en: 'A signed credential is encrypted, so its content is secret.',
    zh: '凭证经过签名就等于加密，内容是保密的。',
  },
  question: {
    en: 'Somebody has a copy of your credential, and no key. What can they do with its content?',
    zh: '有人拿到了您的凭证副本，但没有密钥。他能对其中的内容做什么？',
  },
  predictions: [
    { id: 'nothing', text: { en: 'Nothing: it is encrypted.', zh: '什么也做不了：它是加密的。' } },
    {
      id: 'read',
      text: { en: 'Read it, but not change it.', zh: '能读到其中的内容，但不能改。' },
    },
    { id: 'change', text: { en: 'Read it and change it.', zh: '既能读，也能改。' } },
  ],
  choices: [MODE_CHOICE],
  edit: 'credential',
  next: [
    {
      text: {
        en: 'Change another character, or choose another way to sign in.',
        zh: '改动另一个字符，或换一种登录方式。',
      },
    },
    {
      text: { en: 'See what must never be in a credential.', zh: '看看哪些内容绝不能放进凭证。' },
      experiment: 'password-in-the-claims',
    },
  ],
  async run(lab, choices, edit) {
    const mode = modeOf(choices)
    const center = await lab.center()
    await center.readPicture(USER)
    const browser = lab.browser(center)
    const { credential } = await signIn(browser, mode)
    const changed = edited(credential, edit ?? usualEdit(credential))
    const good = await askWho(browser, mode, { en: 'As it is', zh: '原样发送' })
    const bad = await browser.send({
      title: { en: 'With one character changed', zh: '改动一个字符后发送' },
      path: '/user_info',
      headers: carry(mode, changed),
    })
    return {
      right: 'read',
      exchanges: lab.exchanges,
      compare: [good.index, bad.index],
      findings: [
        { label: { en: 'The credential', zh: '凭证' }, value: credential },
        {
          label: { en: 'Read without a key', zh: '不用密钥读到的内容' },
          value: readWithoutKey(mode, credential),
        },
        { label: { en: 'With one character changed', zh: '改动一个字符之后' }, value: changed },
      ],
      verdict: verdictOf(mode, bad.status, bad.error),
      curl: script(
        mode === 'token' ? BY_TOKEN : byCookie(mode),
        `"error":"${mode === 'token' ? 'TOKEN' : 'CREDENTIAL'}_INVALID"`,
      ),
    }
  },
}
