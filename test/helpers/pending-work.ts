import type { FastifyReply, FastifyRequest } from 'fastify'
import { ALICE } from './suite.js'

export interface Preparation {
  /** Signs in by this mode, and lets so much time pass (seconds). @returns the `Cookie` header */
  signedIn(mode: 'cookie' | 'session', passes?: number): Promise<string>
  /** Puts something into a session. @returns the `Cookie` header */
  visitor(): Promise<string>
}

/** What the suite has to do before an answer. */
export interface Work {
  /** @returns the `Cookie` header of the request */
  readonly prepare?: (prepare: Preparation) => Promise<string>
  /** Names of the hooks that begin the work: `useSession`, `guard`. */
  readonly before?: 'useSession' | 'guard'
  readonly begin?: (request: FastifyRequest, reply: FastifyReply) => unknown
  /** The cookie that the answer sets (`identity=`), or clears (`identity=;`). None where nothing is to be set. */
  readonly sets?: RegExp
  /** Where it is in the headers of an application that answers by `reply.raw`. */
  readonly setsRaw?: RegExp
  /** Operations of the store that fail. The answer is then 503. */
  readonly fails?: readonly string[]
  /** The store is slow. */
  readonly slow?: true
  /** Set where all is done before the answer: nothing is left to wait for. */
  readonly done?: true
  /** Set where an application that answers by `reply.raw` loses the session's data, and is warned. */
  readonly forgotten?: true
}

const SESSION_SET = /^session=v1\.[^;]+; Path=\/; HttpOnly; SameSite=Lax$/
const SESSION_KEPT = /^session=v1\.[^;]+; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Lax$/
const SESSION_CLEARED = /^session=; Max-Age=0;/
const COOKIE_SET = /^identity=v1\.[^;]+; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Lax$/
const COOKIE_CLEARED = /^identity=; Max-Age=0;/

const change = (request: FastifyRequest) => {
  request.session.cart = ['first']
}

const saved: Work = { before: 'useSession', begin: change, sets: SESSION_SET, forgotten: true }
const renewed: Work = {
  before: 'guard',
  prepare: ({ signedIn }) => signedIn('cookie', 2000),
  sets: COOKIE_SET,
}

export const WORKS: Record<string, Work> = {
  'nothing to do': { done: true, before: 'guard', prepare: ({ signedIn }) => signedIn('cookie') },
  'a session is saved': saved,
  'a session is saved, by a slow store': { ...saved, slow: true },
  'a session is saved by the application': {
    ...saved,
    forgotten: undefined,
    async begin(request) {
      change(request)
      await request.session.save()
    },
    setsRaw: SESSION_SET,
  },
  'a session is destroyed': {
    before: 'useSession',
    prepare: ({ visitor }) => visitor(),
    begin: (request) => request.session.destroy(),
    sets: SESSION_CLEARED,
    setsRaw: SESSION_CLEARED,
  },
  "a session's cookie is set": {
    before: 'guard',
    prepare: ({ signedIn }) => signedIn('session', 100_000),
    sets: SESSION_KEPT,
  },
  'a cookie is renewed': renewed,
  'a cookie is renewed, by a slow store': { ...renewed, slow: true },
  'a cookie cannot be renewed': { ...renewed, sets: undefined, fails: ['touchSignIn'] },
  'sign-in by cookie': {
    done: true,
    begin: (request) => request.signIn('cookie', ALICE),
    sets: COOKIE_SET,
    setsRaw: COOKIE_SET,
  },
  'sign-in by session': {
    begin: (request) => request.signIn('session', ALICE),
    sets: SESSION_SET,
    setsRaw: SESSION_SET,
  },
  'sign-out by cookie': {
    prepare: ({ signedIn }) => signedIn('cookie'),
    done: true,
    begin: (request) => request.signOut('cookie'),
    sets: COOKIE_CLEARED,
    setsRaw: COOKIE_CLEARED,
  },
  'sign-out by session, by a slow store': {
    prepare: ({ signedIn }) => signedIn('session'),
    begin: (request) => request.signOut('session'),
    sets: SESSION_CLEARED,
    setsRaw: SESSION_CLEARED,
    slow: true,
  },
  'saving fails': { before: 'useSession', begin: change, forgotten: true, fails: ['createSession'] },
  'saving fails, in a slow store': {
    before: 'useSession',
    begin: change,
    forgotten: true,
    fails: ['createSession'],
    slow: true,
  },
}
