import { script } from '../curl.js'
import type { Experiment } from '../experiment.js'

/** HTTP alone does not say who asks. */
export const twoStrangers: Experiment = {
  name: 'two-strangers',
  title: { en: 'Two strangers', zh: '两个陌生人' },
  claim: {
    en: 'HTTP is stateless: no request says that it belongs to an earlier one.',
    zh: 'HTTP 是无状态的：请求本身不会说明它与之前的请求有关。',
  },
  question: {
    en: 'Ann and Ben use two browsers behind one router. Neither has signed in. Can the server tell their requests apart?',
    zh: '小安和小本各用一个浏览器，处在同一个路由器之后，都没有登录。服务器能分清他们的请求吗？',
  },
  predictions: [
    { id: 'yes', text: { en: 'Yes, by the browser.', zh: '能，靠浏览器区分。' } },
    { id: 'address', text: { en: 'Yes, by the IP address.', zh: '能，靠 IP 地址区分。' } },
    { id: 'no', text: { en: 'No, the requests are equal.', zh: '不能，两个请求完全相同。' } },
  ],
  choices: [],
  next: [
    {
      text: { en: 'Sign in, and see what the next request carries.', zh: '登录，看看下一个请求带上了什么。' },
      experiment: 'three-ways',
    },
  ],
  async run(lab) {
    const center = await lab.center()
    const ask = (name: string, zh: string) =>
      lab.browser(center).send({
        title: { en: `${name} asks: who am I?`, zh: `${zh}问：我是谁？` },
        path: '/user_info',
      })
    await ask('Ann', '小安')
    await ask('Ben', '小本')
    return {
      right: 'no',
      exchanges: lab.exchanges,
      compare: [0, 1],
      findings: [],
      verdict: {
        en: 'Both requests are equal, so both get 403 NOT_SIGNED_IN and the challenge WWW-Authenticate: Bearer.',
        zh: '两个请求一模一样，所以都得到 403 NOT_SIGNED_IN 和质询 WWW-Authenticate: Bearer。',
      },
      curl: script(
        `
ann=$(curl -s -i "$BASE/user_info" | grep -vi '^date:')
ben=$(curl -s -i "$BASE/user_info" | grep -vi '^date:')
echo "$ann"
echo
[ "$ann" = "$ben" ] && echo 'both answers are equal'
`,
        'both answers are equal',
      ),
    }
  },
}
