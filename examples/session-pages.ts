import type { FastifyReply } from 'fastify'

/*
 * The pages of session.ts. This file does not use sessions.
 */

/** Bounds of the forms, in characters. The server checks them as well. */
export const USERNAME_MAX = 256
export const PASSWORD_MAX = 1024
export const ITEM_MAX = 64

/** Input is text, never markup: `<script>` in a cart is shown and does not run. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** @param main HTML in which all input is already escaped */
function sendPage(reply: FastifyReply, title: string, main: string): FastifyReply {
  // A second line of defence: if markup slips in, the browser neither runs nor loads anything.
  reply.header('content-security-policy', "default-src 'none'; form-action 'self'; frame-ancestors 'none'")
  reply.header('x-content-type-options', 'nosniff')
  return reply.type('text/html; charset=utf-8').send(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${main}
</main>
</body>
</html>
`)
}

/** The content of the home page. */
export interface Home {
  /** The name of the signed-in user, or null. */
  readonly username: string | null
  readonly cart: readonly string[]
  readonly note?: string
}

export function sendHome(reply: FastifyReply, { username, cart, note = '' }: Home): FastifyReply {
  const link = username === null ? '<a href="/login">Log in</a>' : '<a href="/logout">Log out</a>'
  const items = cart.map((item) => `<li>${escapeHtml(item)}</li>`).join('\n')
  const main = `<p>${link}</p>
<h2>Your cart</h2>
${items === '' ? '<p>There is nothing in it.</p>' : `<ul>\n${items}\n</ul>`}
<p role="status">${escapeHtml(note)}</p>
<form method="post" action="/cart">
<p><label for="item">Item</label>
<input id="item" name="item" maxlength="${ITEM_MAX}" pattern=".*\\S.*" required></p>
<p><button>Put into the cart</button></p>
</form>`
  return sendPage(reply, username === null ? 'Hello' : `Hello, ${username}`, main)
}

export function sendLogin(reply: FastifyReply, note = ''): FastifyReply {
  const main = `<p role="alert">${escapeHtml(note)}</p>
<form method="post" action="/login">
<p><label for="username">Username</label>
<input id="username" name="username" autocomplete="username" maxlength="${USERNAME_MAX}" required></p>
<p><label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password"
 maxlength="${PASSWORD_MAX}" required></p>
<p><button>Log in</button></p>
</form>`
  return sendPage(reply, 'Log in', main)
}
