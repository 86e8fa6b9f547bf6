export const en = {
  home: 'Back to your sign-in',
  title: 'E-mail address',
  lead: 'If you forget your password, we send a link to this address. We also send a notice of each change.',
  nobody: 'Sign in first.',
  now: (email: string) => `Your confirmed address is ${email}.`,
  none: 'You have no confirmed address.',
  email: 'New address',
  send: 'Send a code',
  sent: (email: string) => `A code is on its way to ${email}. It is valid for ten minutes.`,
  code: 'Code from the mail',
  confirm: 'Confirm',
  confirmed: 'Your address is confirmed.',
  advice: {
    EMAIL_INVALID: 'Check the spelling. It needs a name, an @ and a domain.',
    CODE_REFUSED: 'Check the digits, or ask for a new code. A code works for ten minutes and five tries.',
    SIGN_IN_TOO_OLD: 'Repeat the action, and confirm that it is you.',
    THROTTLED: 'You can ask for only a few codes an hour.',
    BODY_INVALID: 'A code has eight digits.',
  },
}

export type Words = typeof en

export const zh: Words = {
  home: '返回',
  title: '邮箱地址',
  lead: '忘记密码时可通过它收到重置链接；账户有变动时也会收到通知。',
  nobody: '请先登录。',
  now: (email) => `已确认的邮箱：${email}。`,
  none: '尚未确认任何邮箱。',
  email: '新邮箱',
  send: '发送验证码',
  sent: (email) => `验证码正在发送至 ${email}，10 分钟内有效。`,
  code: '邮件中的验证码',
  confirm: '确认',
  confirmed: '邮箱地址已确认。',
  advice: {
    EMAIL_INVALID: '请检查拼写。邮箱应包含用户名、@ 和域名。',
    CODE_REFUSED: '请检查数字，或重新获取验证码。验证码 10 分钟内有效，最多可尝试五次。',
    SIGN_IN_TOO_OLD: '请重试此操作，并确认是您本人。',
    THROTTLED: '一小时内只能获取少量验证码。',
    BODY_INVALID: '验证码为八位数字。',
  },
}
