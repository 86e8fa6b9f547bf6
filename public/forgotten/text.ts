export const en = {
  home: 'Sign in',
  ask: {
    title: 'Forgotten password',
    lead: 'Enter your username or your e-mail address. If the account has a confirmed address, it gets a mail with a link.',
    username: 'Username',
    email: 'or e-mail address',
    submit: 'Send the mail',
    done: 'If the account exists and has a confirmed address, a mail is on its way. Its link works once and expires after 15 minutes.',
  },
  reset: {
    title: 'New password',
    lead: 'This signs you out everywhere.',
    factor: 'This account also needs a second factor. The server then sets the new password.',
    password: 'New password',
    submit: 'Set the password',
    done: 'Your password is changed, and all your sign-ins have ended.',
    again: 'Ask for a new mail',
  },
  advice: {
    RESET_REFUSED:
      'A link works once. It expires after 15 minutes, or when the password or the address changes.',
    ONE_OF_TWO: 'Fill in one of the two fields.',
  },
}

export type Words = typeof en

export const zh: Words = {
  home: '登录',
  ask: {
    title: '忘记密码',
    lead: '请输入用户名或邮箱地址。如果该账户已确认邮箱，将收到一封带链接的邮件。',
    username: '用户名',
    email: '或邮箱地址',
    submit: '发送邮件',
    done: '如果该账户存在且已确认邮箱，邮件正在发送中。链接只能使用一次，15 分钟内有效。',
  },
  reset: {
    title: '设置新密码',
    lead: '设置后，所有设备都将退出登录。',
    factor: '此账户还需要两步验证，通过后新密码才会生效。',
    password: '新密码',
    submit: '设置密码',
    done: '密码已修改，所有设备均已退出登录。',
    again: '重新申请邮件',
  },
  advice: {
    RESET_REFUSED: '链接只能使用一次，15 分钟内有效；修改密码或邮箱后也会失效。',
    ONE_OF_TWO: '请只填写其中一项。',
  },
}
