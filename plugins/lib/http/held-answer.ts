import type { FastifyReply } from 'fastify'
import { rewriteOwnCookies } from './cookies.js'
import { abandonPayload, type PayloadWatch, watchPayload } from './payload.js'

/** The answer as the application sent it. */
interface FirstAnswer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, unknown>>
}

/** Has the part of a promise that Fastify uses. */
type Thenable = PromiseLike<void>
type Fulfilled = (() => void) | null | undefined
type Rejected = ((error: Error) => void) | null | undefined

/** Whether the answer waits for work. */
export function isHeld(reply: FastifyReply): boolean {
  return Object.hasOwn(reply, 'sent')
}

/**
 * Holds an answer back until its work is done.
 *
 * Meanwhile `reply.sent` is true, as on bare Fastify after an answer: Fastify then drops a second answer with a warning,
 * logs a handler's late error, and starts no further hook or handler. If it were false, a second answer would end the
 * process, and a hook that refuses by `reply.send` without `return` would let the handler run. `await reply` waits for the
 * end of the answer.
 *
 * @returns the hook's return value. It is not a real promise. Fastify continues in the same step in which the hold
 * ends, so no code sees the reply unsent in between.
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
          // The error's answer replaces this payload.
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
  // Fastify does the same if a stream fails before its first byte.
  if (failure) reject(failure.error)
  else resolve()
}

/** The fields of an error that Fastify reads. */
interface Failure {
  readonly name?: string
  readonly statusCode?: number
  readonly headers?: Record<string, string>
}

/** If the error's answer fails as well, Fastify writes it with the status and headers of the reply. */
function takeStatus(reply: FastifyReply, error: unknown): void {
  const { statusCode, headers = {} }: Failure = error instanceof Error ? error : {}
  const isFailure = statusCode !== undefined && statusCode >= 400 && statusCode <= 599
  reply.code(isFailure ? statusCode : 500).headers(headers)
}

/** Drops a second answer while the first is held: its promise never settles. Fastify logs its own warning. */
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

/** Copies lists, because `reply.header` appends to them. */
function firstAnswer(reply: FastifyReply): FirstAnswer {
  const headers: Record<string, unknown> = reply.getHeaders()
  for (const [name, value] of Object.entries(headers)) if (Array.isArray(value)) headers[name] = value.slice()
  return { statusCode: reply.statusCode, headers }
}

/** Undoes a handler's changes after its answer. On bare Fastify they have no effect either. */
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
 * Fastify marks the reply before it drops an error. Because of that mark, it would take the next answer (of a custom
 * error handler) for that error.
 */
function clearErrorMark(reply: FastifyReply): void {
  const mark = Object.getOwnPropertySymbols(reply).find(({ description }) => description === ERROR_MARK)
  if (mark) Reflect.set(reply, mark, false)
}

const ERROR_MARK = 'fastify.reply.isError'
