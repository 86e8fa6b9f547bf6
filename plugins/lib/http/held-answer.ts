import type { FastifyReply } from 'fastify'
import { rewriteOwnCookies } from './cookies.js'
import { abandonPayload, type PayloadWatch, watchPayload } from './payload.js'

/** The answer as the application sent it. */
interface FirstAnswer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, unknown>>
}

/** A promise in all that Fastify uses of one. */
type Thenable = PromiseLike<void>
type Fulfilled = (() => void) | null | undefined
type Rejected = ((error: Error) => void) | null | undefined

/** Whether work is under way before the answer. */
export function isHeld(reply: FastifyReply): boolean {
  return Object.hasOwn(reply, 'sent')
}

/**
 * Holds an answer back until the work before it is done.
 *
 * Meanwhile `reply.sent` is true, as it is on bare Fastify once an answer was sent: Fastify itself then drops a second
 * answer with its own warning, logs what a handler throws late, and starts no further hook or handler. Without that it
 * takes the reply for unsent: a second answer ends the process, and a hook that refuses by `reply.send` without
 * `return` lets the handler run. `await reply` waits for the end of the answer.
 *
 * @returns what the hook returns. It is no real promise: Fastify goes on in the same step in which the hold ends, so
 * that nobody finds the reply unsent in between.
 */
export function holdAnswer(reply: FastifyReply, payload: unknown, working: Promise<void>): Thenable {
  const first = firstAnswer(reply)
  const watch = watchPayload(payload)
  const waiting: (() => void)[] = []
  pretendSent(reply, waiting)
  const settle = (proceed: () => void) => {
    release(reply, first)
    proceed()
    for (const wait of waiting) wait()
  }
  const then = (resolve: () => void, reject: (error: unknown) => void) => {
    working.then(
      () => settle(() => proceed(watch, resolve, reject)),
      (error) =>
        settle(() => {
          // The error's page takes its place.
          abandonPayload(payload)
          takeStatus(reply, error)
          reject(error)
        }),
    )
  }
  return { then } as Thenable
}

function proceed(watch: PayloadWatch | null, resolve: () => void, reject: (error: unknown) => void): void {
  const failure = watch?.end()
  // As Fastify does where a stream fails before its first byte.
  if (failure) reject(failure.error)
  else resolve()
}

/** What Fastify reads of an error. */
interface Failure {
  readonly name?: string
  readonly statusCode?: number
  readonly headers?: Record<string, string>
}

/** An error page that fails in its turn is written with the status and the headers that are there. */
function takeStatus(reply: FastifyReply, error: unknown): void {
  const { statusCode, headers = {} }: Failure = error instanceof Error ? error : {}
  const isFailure = statusCode !== undefined && statusCode >= 400 && statusCode <= 599
  reply.code(isFailure ? statusCode : 500).headers(headers)
}

/** Answers what reached the hook beside an answer that is held: never. Fastify logs its own warning. */
export function dropAnswer(reply: FastifyReply, payload: unknown): Promise<void> {
  abandonPayload(payload)
  reply.send()
  return new Promise(() => {})
}

function pretendSent(reply: FastifyReply, waiting: (() => void)[]): void {
  Object.defineProperty(reply, 'sent', { value: true, configurable: true, enumerable: true })
  const then = (fulfilled: Fulfilled, rejected: Rejected) => {
    waiting.push(() => reply.then(fulfilled ?? (() => {}), rejected ?? (() => {})))
  }
  Object.defineProperty(reply, 'then', { value: then, configurable: true })
}

/** A list is copied: `reply.header` adds to the one that is there. */
function firstAnswer(reply: FastifyReply): FirstAnswer {
  const headers: Record<string, unknown> = reply.getHeaders()
  for (const [name, value] of Object.entries(headers)) if (Array.isArray(value)) headers[name] = value.slice()
  return { statusCode: reply.statusCode, headers }
}

/** What a handler does to the reply after it has answered changes nothing on bare Fastify either. */
function release(reply: FastifyReply, { statusCode, headers }: FirstAnswer): void {
  Reflect.deleteProperty(reply, 'sent')
  Reflect.deleteProperty(reply, 'then')
  clearErrorMark(reply)
  reply.raw.statusCode = statusCode
  const present = reply.getHeaders()
  for (const name of Object.keys(present)) if (!(name in headers)) reply.removeHeader(name)
  for (const [name, value] of Object.entries(headers)) {
    if (present[name] === value) continue
    reply.removeHeader(name)
    reply.header(name, value)
  }
  rewriteOwnCookies(reply)
}

/**
 * Fastify marks the reply before it hands over an error that it then drops. The next answer would be taken for that
 * error: the page of a custom error handler, where something after this fails.
 */
function clearErrorMark(reply: FastifyReply): void {
  const mark = Object.getOwnPropertySymbols(reply).find(({ description }) => description === ERROR_MARK)
  if (mark) Reflect.set(reply, mark, false)
}

const ERROR_MARK = 'fastify.reply.isError'
