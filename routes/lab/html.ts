import { createHash } from 'node:crypto'
import type { FastifyReply } from 'fastify'
import type { Language } from './text.js'

const STYLE = `:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { border: 1px solid #8888; padding: .3rem .6rem; text-align: start; overflow-wrap: anywhere }
th { font-weight: 600; width: 12rem }
button { font: inherit; padding: .4rem 1rem }`

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** A text as it may stand in HTML, in an attribute as well. */
export const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (each) => ESCAPES[each] ?? '')

/** `html` is a template tag that escapes every value except the results of `html` itself. */
export class Html {
  constructor(readonly source: string) {}
}

type Value = string | Html | readonly Html[]

function sourceOf(value: Value): string {
  if (typeof value === 'string') return escapeHtml(value)
  return value instanceof Html ? value.source : value.map(({ source }) => source).join('')
}

/** Makes HTML. Every text in it is escaped. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(parts.map((part, index) => part + sourceOf(values[index] ?? '')).join(''))
}

export interface Page {
  readonly language: Language
  readonly title: string
  readonly content: Html
  /** The origin to which its forms may post. */
  readonly formAction: string
}

/**
 * Sends a page that runs no script and loads nothing. Unlike the user center's own page, it may post a form. Its referrer
 * policy is the browsers' default, as any other site's: with `no-referrer`, `Origin` would be `null`.
 */
export function sendPage(reply: FastifyReply, { language, title, content, formAction }: Page): FastifyReply {
  const { source } = html`<!doctype html>
<html lang="${language}">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>${new Html(STYLE)}</style>
<main>
<h1>${title}</h1>
${content}
</main>
</html>
`
  reply.headers({
    'content-security-policy': `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action ${formAction}; frame-ancestors 'none'`,
    'referrer-policy': 'strict-origin-when-cross-origin',
  })
  return reply.type('text/html; charset=utf-8').send(source)
}
