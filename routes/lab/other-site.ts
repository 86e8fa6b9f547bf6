import { isIPv6 } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { CrossSite } from 'fastify-identity/errors'
import { languageOf } from '../http/messages.js'
import { hideFromOthers, ownOrigin, schemeOf } from './gate.js'
import { html, sendPage } from './html.js'
import { TEXTS } from './other-site-texts.js'
import { type Said, say } from './text.js'

const PATH = '/lab/other-site'
const TARGET = `${PATH}/target`

/** Throwaway cookies, by their `SameSite`. They stand for nobody, and no other path gets them. */
const COOKIES = [
  { name: 'lab_strict', attribute: 'SameSite=Strict' },
  { name: 'lab_lax', attribute: 'SameSite=Lax' },
  { name: 'lab_default', attribute: '' },
  { name: 'lab_none', attribute: 'SameSite=None; Secure' },
] as const

/** In seconds. */
const COOKIE_TTL = 600

const lineOf = ({ name, attribute }: (typeof COOKIES)[number]) =>
  [`${name}=throwaway`, `Path=${PATH}`, `Max-Age=${COOKIE_TTL}`, 'HttpOnly', attribute]
    .filter((part) => part !== '')
    .join('; ')

/**
 * This server under another loopback name, which is another site for browsers: `localhost` beside `127.0.0.1`. The gate has
 * let only loopback names through.
 */
function otherOrigin(request: FastifyRequest): string {
  const [, name = '', port = ''] = /^(.*?)(:\d+)?$/.exec(request.host) ?? []
  const [bound] = request.server.addresses()
  const address = typeof bound === 'object' ? bound.address : '127.0.0.1'
  const own = isIPv6(address) ? `[${address}]` : address
  return `${schemeOf(request)}://${name.toLowerCase() === 'localhost' ? own : 'localhost'}${port}`
}

type Words = Said<typeof TEXTS>

const wordsFor = (request: FastifyRequest): Words => say(TEXTS, languageOf(request))

/** Sets the throwaway cookies for this name, and leads to the page under the other one. */
function start(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return reply.header('set-cookie', COOKIES.map(lineOf)).redirect(`${otherOrigin(request)}${PATH}`, 303)
}

/** The other site: it posts to the lab. */
function showOtherSite(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const words = wordsFor(request)
  const lab = otherOrigin(request)
  return sendPage(reply, {
    language: languageOf(request),
    title: words.otherTitle,
    formAction: lab,
    content: html`<p>${words.otherIntro}</p>
<table><tr><th>${words.thisPage}</th><td>${ownOrigin(request)}</td></tr>
<tr><th>${words.theLab}</th><td>${lab}</td></tr></table>
<form method="post" action="${lab}${TARGET}"><p><button id="post">${words.post}</button></p></form>
<p><a id="follow" href="${lab}${TARGET}">${words.follow}</a></p>`,
  })
}

/** Whether the suite's own check lets the request through. It is the one before every login and logout. */
function isRefused(app: FastifyInstance, request: FastifyRequest, reply: FastifyReply): boolean {
  try {
    app.csrf.sameOrigin.call(app, request, reply, () => {})
    return false
  } catch (error) {
    if (error instanceof CrossSite) return true
    throw error
  }
}

const SHOWN = ['origin', 'sec-fetch-site', 'sec-fetch-mode', 'sec-fetch-dest'] as const

/** What the browser sent. Of the cookies, only the throwaway ones are looked at. */
function showArrived(this: FastifyInstance, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const words = wordsFor(request)
  const refused = isRefused(this, request, reply)
  const sent = new Set((request.headers.cookie ?? '').split(/; */).map((pair) => pair.split('=', 1)[0]))
  const verdict = refused ? words.refused : words.passes
  return sendPage(reply.code(refused ? 403 : 200), {
    language: languageOf(request),
    title: words.arrivedTitle,
    formAction: "'self'",
    content: html`<p id="verdict">${verdict}</p>
<table id="request"><tr><th>${words.request}</th><td>${request.method} ${TARGET}</td></tr>
${SHOWN.map((name) => html`<tr><th>${name}</th><td>${String(request.headers[name] ?? '–')}</td></tr>`)}</table>
<table id="cookies"><tr><th>${words.cookie}</th><th>SameSite</th><th>${words.arrived}</th></tr>
${COOKIES.map(
  ({ name, attribute }) =>
    html`<tr><td>${name}</td><td>${attribute || words.unset}</td><td>${sent.has(name) ? words.yes : words.no}</td></tr>`,
)}</table>
<p>${words.defaultNote}</p>
<form method="post" action="${TARGET}"><p><button id="own">${words.own}</button></p></form>
<p><a href="${PATH}/start">${words.again}</a> · <a href="/lab#other-site">${words.back}</a></p>`,
  })
}

/**
 * Another site, for the learner's own browser. It is this server under its other loopback name, and it uses throwaway
 * cookies alone. No answer depends on a sign-in or changes anything.
 */
export async function otherSiteRoutes(app: FastifyInstance): Promise<void> {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', function skipBody(_request, payload, done) {
    payload.resume()
    done(null)
  })
  app.addHook('onRequest', hideFromOthers)
  app.get(`${PATH}/start`, start)
  app.get(PATH, showOtherSite)
  app.route({ method: ['GET', 'POST'], url: TARGET, handler: showArrived })
}
