import type { FastifyInstance } from 'fastify'
import type { ShownMail } from '../../config/mail.js'
import { languageOf } from '../http/messages.js'
import { hideFromOthers } from './gate.js'
import { escapeHtml } from './html.js'

const TEXTS = {
  en: {
    title: 'Mails',
    about:
      'No mail server is set (MAIL_URL). This page shows the mails that the server would send, newest first.',
    none: 'No mail yet. Ask for a new password, or set an e-mail address.',
    again: 'Refresh',
    to: 'To',
    back: 'User center',
  },
  zh: {
    title: '邮件',
    about: '未配置邮件服务器（MAIL_URL）。本应发送的邮件显示在这里，最新的在前。',
    none: '暂无邮件。请先重置密码或设置邮箱地址。',
    again: '刷新',
    to: '收件人',
    back: '用户中心',
  },
} as const

/** Mails contain usernames, which may contain HTML. Only the link for a new password becomes clickable. */
const linked = (text: string) =>
  escapeHtml(text).replace(/^https?:\/\/\S+\/forgotten#reset=[\w-]+$/gm, '<a href="$&">$&</a>')

type Texts = (typeof TEXTS)['en' | 'zh']

function article({ time, to, subject, text }: ShownMail, texts: Texts): string {
  return `<article>
<h2>${escapeHtml(subject)}</h2>
<p>${texts.to}: ${escapeHtml(to)} · <time>${new Date(time).toISOString()}</time></p>
<pre>${linked(text)}</pre>
</article>`
}

function render(mails: readonly ShownMail[], language: 'en' | 'zh'): string {
  const texts = TEXTS[language]
  const list = mails.map((mail) => article(mail, texts))
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${texts.title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/guide/guide.css">
</head>
<body>
<nav><a href="/">${texts.back}</a> <a href="/lab/mails">${texts.again}</a></nav>
<main>
<h1>${texts.title}</h1>
<p>${texts.about}</p>
${list.length === 0 ? `<p>${texts.none}</p>` : list.join('\n')}
</main>
</body>
</html>
`
}

/**
 * Shows the unsent mails, so that a learner can follow a reset or a code. Only in development without a mail server, and
 * only for this machine.
 */
export async function mailsRoute(app: FastifyInstance): Promise<void> {
  const { shownMails } = app
  if (!shownMails) return
  app.get('/lab/mails', { onRequest: hideFromOthers }, async function labMails(request, reply) {
    reply.type('text/html; charset=utf-8')
    return render(shownMails, languageOf(request))
  })
}
