import type { CodeMail, MailMessage, NoticeKind, NoticeMail, ResetMail } from 'fastify-identity/accounts'

export interface WrittenMail {
  readonly subject: string
  readonly text: string
}

interface Words {
  readonly moment: (time: number) => string
  readonly code: (code: string, until: string, site: string) => WrittenMail
  readonly reset: (links: string, until: string, site: string) => WrittenMail
  readonly notice: { readonly [K in NoticeKind]: string }
  readonly noticed: (
    what: string,
    mail: { username: string; time: string; ip: string },
    site: string,
  ) => string
}

const moment = (time: number) =>
  new Date(time)
    .toISOString()
    .replace('T', ' ')
    .replace(/:\d\d\..*$/, ' UTC')

const EN: Words = {
  moment,
  code: (code, until, site) => ({
    subject: 'Your code',
    text: `${code} is the code that confirms this e-mail address at ${site}. It is valid until ${until}.\n\nIf you did not ask for it, ignore this mail. Never tell anybody the code.`,
  }),
  reset: (links, until, site) => ({
    subject: 'A new password',
    text: `Somebody asked for a new password at ${site}. If it was you, open the link. It works once, until ${until}.\n\n${links}\n\nIf it was not you, ignore this mail. Your password stays as it is.`,
  }),
  notice: {
    password_changed: 'Your password was changed',
    email_changed: 'Your e-mail address was changed',
    new_device: 'A new device signed in',
    factor_added: 'A second factor was added to your account',
    factor_renamed: 'A second factor of your account was renamed',
    factor_removed: 'A second factor was removed from your account',
    factor_refused: 'Somebody gave several wrong codes, and may know your password',
    factors_reset: 'An administrator removed all your second factors, and ended your sign-ins',
    passkey_cloned: 'One of your passkeys was refused, because somebody may have copied it',
  },
  noticed: (what, { username, time, ip }, site) =>
    `${what}.\n\nAccount: ${username}\nTime: ${time}\nIP address: ${ip}\n\nIf you did not expect this, set a new password at ${site} and end your other sign-ins.`,
}

const ZH: Words = {
  moment,
  code: (code, until, site) => ({
    subject: '您的验证码',
    text: `${code} 是在 ${site} 确认此邮箱地址的验证码，有效期至 ${until}。\n\n如果不是您本人操作，请忽略此邮件。请勿将验证码告诉任何人。`,
  }),
  reset: (links, until, site) => ({
    subject: '重置密码',
    text: `有人在 ${site} 请求重置密码。如果是您本人，请打开下面的链接。链接只能使用一次，有效期至 ${until}。\n\n${links}\n\n如果不是您本人操作，请忽略此邮件，您的密码不会改变。`,
  }),
  notice: {
    password_changed: '您的密码已修改',
    email_changed: '您的邮箱地址已修改',
    new_device: '有新设备登录',
    factor_added: '您的账户添加了一种验证方式',
    factor_renamed: '您账户的一种验证方式已重命名',
    factor_removed: '您的账户移除了一种验证方式',
    factor_refused: '有人多次输错您账户的验证码，此人可能知道您的密码',
    factors_reset: '管理员移除了您的全部验证方式，您的所有设备均已退出登录',
    passkey_cloned: '您的一个通行密钥可能已被复制，本次使用已被拒绝',
  },
  noticed: (what, { username, time, ip }, site) =>
    `${what}。\n\n账户：${username}\n时间：${time}\nIP 地址：${ip}\n\n如果您对此不知情，请在 ${site} 设置新密码，并退出其他设备。`,
}

/** The token is in the fragment, which browsers send to no server and in no `Referer` (RFC 9110 §10.1.3). */
function writeReset({ offers, expiresAt }: ResetMail, words: Words, site: string): WrittenMail {
  const links = offers.map(({ username, token }) => `${username}\n${site}/forgotten#reset=${token}`)
  return words.reset(links.join('\n\n'), words.moment(expiresAt), site)
}

/** Without the username: whoever chose it may not own the mailbox. */
function writeCode({ code, expiresAt }: CodeMail, words: Words, site: string): WrittenMail {
  return words.code(code, words.moment(expiresAt), site)
}

function writeNotice({ what, username, time, ip }: NoticeMail, words: Words, site: string): WrittenMail {
  const subject = words.notice[what]
  return {
    subject,
    text: words.noticed(subject, { username, time: words.moment(time), ip: ip ?? '–' }, site),
  }
}

/** Subject and text of a mail, in the language of the request that caused it. Without such a request, in both languages. */
export function writeMail(message: MailMessage, site: string): WrittenMail {
  const [en, zh] = [write(message, EN, site), write(message, ZH, site)]
  if (message.language === 'zh') return zh
  if (message.language === 'en') return en
  return { subject: `${en.subject} · ${zh.subject}`, text: `${en.text}\n\n${zh.text}` }
}

function write(message: MailMessage, words: Words, site: string): WrittenMail {
  if (message.kind === 'reset') return writeReset(message, words, site)
  if (message.kind === 'email_code') return writeCode(message, words, site)
  return writeNotice(message, words, site)
}
