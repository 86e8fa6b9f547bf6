import type { FastifyRequest } from 'fastify'

/** English and Chinese, by the code of an error or of a success. */
const MESSAGES = {
  SIGNED_IN: ['You are signed in.', '登录成功。'],
  LOGGED_OUT: ['You are signed out.', '已退出登录。'],
  REFRESHED: ['You have a new pair of tokens.', '令牌已刷新。'],
  RECOGNISED: ['You are recognised.', '获取用户信息成功。'],
  LISTED: ['Your sign-ins are listed.', '以下是您已登录的设备。'],
  ENDED: ['The sign-ins have ended.', '已退出相应的登录。'],
  API_KEY_MADE: ['Your API key is made. It is shown only now.', 'API 密钥已创建，仅显示这一次。'],
  API_KEYS_LISTED: ['Your API keys are listed.', '以下是您的 API 密钥。'],
  STEPPED_UP: ['Your identity is verified.', '身份验证成功。'],
  FACTORS_LISTED: ['Your second factors are listed.', '以下是您的验证方式。'],
  FACTOR_ADDED: ['The second factor is added.', '验证方式已添加。'],
  FACTOR_RENAMED: ['The second factor is renamed.', '验证方式已重命名。'],
  FACTOR_REMOVED: ['The second factor is removed.', '验证方式已移除。'],
  FACTORS_RESET: [
    'The second factors of the account are removed, and its sign-ins have ended.',
    '已移除该账户的全部验证方式，其所有设备均已退出登录。',
  ],
  TOTP_BEGUN: ['Now enter a code of the app to add it.', '请输入应用中的验证码以完成添加。'],
  RECOVERY_CODES_MADE: [
    'Your recovery codes are made. They are shown only once.',
    '恢复码已生成，仅显示这一次。',
  ],
  PASSKEY_OPTIONS: ['These are the options for the browser.', '以下是供浏览器使用的选项。'],
  PASSWORD_CHANGED: [
    'Your password is changed, and your other sign-ins have ended.',
    '密码已修改，其他设备均已退出登录。',
  ],
  CODE_MAILED: ['A code is on its way to this address.', '验证码正在发送到该邮箱。'],
  EMAIL_CONFIRMED: ['Your e-mail address is confirmed.', '邮箱地址已确认。'],
  RESET_MAILED: [
    'If the account exists and has an e-mail address, a mail is on its way to it.',
    '如果该账户存在且绑定了邮箱，重置邮件正在发送中。',
  ],
  PASSWORD_RESET: [
    'Your password is changed, and all your sign-ins have ended. You can sign in.',
    '密码已重置，所有设备均已退出登录，请重新登录。',
  ],
  SETTINGS: ['These are the settings of this server.', '以下是此服务器的设置。'],
  EXPERIMENTS: ['These are the experiments.', '以下是全部实验。'],
  EXPERIMENT_RUN: ['The experiment has run.', '实验已完成。'],
  INSPECTED: ['This is the content of your credential.', '以下是您的凭证信息。'],
  REGISTERED: ['Your account is created. You can sign in.', '注册成功，请登录。'],
  ACCOUNTS_LISTED: ['The accounts are listed.', '以下是账户列表。'],
  ACCOUNT_CHANGED: [
    'The account is changed, and all its sign-ins have ended.',
    '已更新账户，其所有设备均已退出登录。',
  ],
  ACCOUNT_SHOWN: ['This is the account.', '以下是该账户的信息。'],
  PROFILE_CHANGED: ['Your profile is changed.', '个人资料已更新。'],
  UP: ['The process is running.', '进程正在运行。'],
  READY: ['The stores answer.', '存储服务正常。'],

  NOT_SIGNED_IN: ['You are not signed in.', '您尚未登录。'],
  TOKEN_EXPIRED: ['The access token has expired.', '访问令牌已过期。'],
  TOKEN_INVALID: ['The access token is not valid.', '访问令牌无效。'],
  CREDENTIAL_EXPIRED: ['Your sign-in has expired.', '登录已过期。'],
  CREDENTIAL_INVALID: ['The credential is not valid.', '登录凭证无效。'],
  SIGNED_OUT: ['This sign-in has ended.', '该登录已退出。'],
  PROOF_INVALID: ['The DPoP proof is missing or not valid.', 'DPoP 证明缺失或无效。'],
  PROOF_NONCE_REQUIRED: [
    'The DPoP proof needs the nonce of this answer. Repeat the request with it.',
    'DPoP 证明需要使用此响应中的 nonce，请用它重试。',
  ],
  DEVICE_PROOF_REQUIRED: [
    'This sign-in is bound to a device, and the proof of the device is missing. Sign in again.',
    '该登录已绑定设备，但请求缺少设备证明，请重新登录。',
  ],
  CREDENTIAL_AMBIGUOUS: [
    'The request has two credentials, or a malformed Authorization header.',
    '请求带有两个凭证，或 Authorization 请求头格式错误。',
  ],
  HOST_AMBIGUOUS: ['The Host header is sent twice.', 'Host 请求头重复。'],
  CREDENTIALS_REFUSED: ['Wrong username or password.', '用户名或密码错误。'],
  REFRESH_REFUSED: ['The refresh token is not valid.', '刷新令牌无效。'],
  ROLE_REQUIRED: ['Your role does not allow this.', '您的角色无权执行此操作。'],
  NOT_ALLOWED: ['You are not allowed to do this.', '您无权执行此操作。'],
  FACTOR_REQUIRED: [
    'This action needs another factor. Verify your identity again.',
    '此操作需要额外的身份验证。',
  ],
  SIGN_IN_TOO_OLD: ['This needs a recent sign-in. Sign in again.', '此操作需要近期登录，请重新登录。'],
  MODE_REQUIRED: ['This action does not accept your way of signing in.', '当前登录方式不允许此操作。'],
  SCOPE_REQUIRED: ['This API key lacks a scope that this needs.', '该 API 密钥缺少所需的权限范围。'],
  API_KEY_LIMIT: [
    'You have as many API keys as you may. End one first.',
    'API 密钥数量已达上限，请先停用一个。',
  ],
  CROSS_SITE: ['The request came from another site.', '请求来自其他站点。'],
  PREFETCH: ['A prefetch never signs anybody out.', '预取请求不会退出登录。'],
  USERNAME_INVALID: [
    'A username is 1 to 64 visible characters, with single spaces between them.',
    '用户名须为 1 至 64 个可见字符，字符间最多一个空格。',
  ],
  DISPLAY_NAME_INVALID: [
    'A display name is 1 to 64 characters, without control characters, and at least one of them is visible.',
    '显示名称须为 1 至 64 个字符，不含控制字符，且至少有一个可见字符。',
  ],
  EMAIL_INVALID: ['Mails cannot be sent to this address.', '该邮箱地址无法使用。'],
  SECOND_FACTOR_REQUIRED: ['Now use your second factor.', '请完成两步验证。'],
  FACTOR_REFUSED: ['The code or passkey was refused. Try again.', '验证码或通行密钥无效，请重试。'],
  FACTOR_LIMIT: [
    'You have reached the maximum number of factors. Remove one first.',
    '验证方式数量已达上限，请先移除一个。',
  ],
  CODE_REFUSED: ['The code is wrong or has expired.', '验证码错误或已过期。'],
  RESET_REFUSED: ['This link is not valid any more. Ask for a new one.', '该链接已失效，请重新申请。'],
  REGISTRATION_CLOSED: ['Registration is closed.', '此处不开放注册。'],
  USERNAME_TAKEN: ['This username is taken.', '该用户名已被使用。'],
  PASSWORD_REFUSED: ['This password cannot be used.', '不能使用该密码。'],
  LAST_ADMIN: ['At least one administrator must remain.', '必须至少保留一位管理员。'],
  BODY_INVALID: ['The request does not have the expected form.', '请求格式不正确。'],
  BODY_TOO_LARGE: ['The request body is too large.', '请求体过大。'],
  CONTENT_TYPE_UNSUPPORTED: ['Send the body as application/json.', '请以 application/json 发送请求体。'],
  NOT_FOUND: ['Not found.', '未找到。'],
  // Their answers have Retry-After, and the page shows it.
  THROTTLED: ['Too many attempts.', '尝试次数过多。'],
  BUSY: ['Too many sign-ins at once.', '登录请求过多。'],
  STORE_UNAVAILABLE: ['The service is unavailable.', '服务暂时不可用。'],
  STOPPING: ['This server is stopping.', '服务器正在停止。'],
  INTERNAL: ['The server had an internal error.', '服务器内部错误。'],
} as const

export type MessageKey = keyof typeof MESSAGES

export function isMessageKey(code: string): code is MessageKey {
  return Object.hasOwn(MESSAGES, code)
}

/** The weight that an `Accept-Language` header gives to a language, by name or by `*` (RFC 9110 §12.5.4). */
function weightOf(header: string, language: string): number {
  const ranges = header.toLowerCase().split(',')
  const named = (name: string) => ranges.filter((range) => /[^-;\s]+/.exec(range)?.[0] === name)
  const own = named(language)
  const weights = (own.length > 0 ? own : named('*')).map((range) =>
    Number(/;\s*q=([\d.]+)/.exec(range)?.[1] ?? 1),
  )
  return Math.max(0, ...weights.filter(Number.isFinite))
}

/** The English message, for documents about the API. */
export const messageOf = (key: MessageKey): string => MESSAGES[key][0]

/** Most headers name neither Chinese nor `*`, and need no parsing. */
const MAY_PREFER_CHINESE = /zh|\*/i

function prefersChinese(header: string): boolean {
  return MAY_PREFER_CHINESE.test(header) && weightOf(header, 'zh') > weightOf(header, 'en')
}

/** Chinese when the request prefers it, otherwise English. */
export function languageOf({ headers }: FastifyRequest): 'en' | 'zh' {
  const accepted = headers['accept-language']
  return accepted !== undefined && prefersChinese(accepted) ? 'zh' : 'en'
}

export function messageFor(request: FastifyRequest, key: MessageKey): string {
  return MESSAGES[key][languageOf(request) === 'zh' ? 1 : 0]
}
