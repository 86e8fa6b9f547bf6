import { COURSES, courseOf } from '../courses.js'
import { script } from '../curl.js'
import type { Experiment } from '../experiment.js'
import { USER } from '../people.js'

/** Lifetimes, renewal, and the end of the browser. */
export const timePasses: Experiment = {
  name: 'time-passes',
  title: { en: 'Time passes', zh: '时间流逝' },
  claim: {
    en: 'You stay signed in until the credential expires or you close the browser.',
    zh: '在凭证过期或关闭浏览器之前，您会一直保持登录。',
  },
  question: {
    en: 'You sign in, and then this happens. How does the server answer the next request?',
    zh: '您登录之后，发生了下面的情况。服务器会怎么回答接下来的请求？',
  },
  predictions: [
    { id: 'in', text: { en: 'Still signed in.', zh: '仍处于登录状态。' } },
    { id: 'expired', text: { en: 'Refused: the credential has expired.', zh: '拒绝：凭证已过期。' } },
    { id: 'nothing', text: { en: 'Refused: no credential came.', zh: '拒绝：没有收到凭证。' } },
  ],
  choices: [
    {
      id: 'course',
      label: { en: 'What happens', zh: '情况' },
      options: Object.entries(COURSES).map(([id, { text }]) => ({ id, text })),
    },
  ],
  next: [
    { text: { en: 'Choose another case.', zh: '换一种情况。' } },
    {
      text: { en: 'Use a copy after a sign-out.', zh: '退出登录之后使用副本。' },
      experiment: 'copy-after-sign-out',
    },
  ],
  async run(lab, { course: id }) {
    const { right, verdict, run, curl, prints } = courseOf(id)
    const center = await lab.center()
    await center.readPicture(USER)
    const browser = lab.browser(center)
    const start = lab.clock.now
    const { index } = await run(lab, browser)
    const iso = (time: number) => new Date(time).toISOString()
    return {
      right,
      exchanges: lab.exchanges,
      compare: null,
      findings: [
        { label: { en: 'Signed in at', zh: '登录于' }, value: iso(start) },
        { label: { en: 'Asked at', zh: '提问于' }, value: iso(lab.clock.now) },
        {
          label: { en: 'The last answer', zh: '最后的回答' },
          value: `${lab.exchanges[index]?.response.status}`,
        },
      ],
      verdict,
      curl: script(curl, prints),
    }
  },
}
