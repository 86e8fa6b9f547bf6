import type { LiveEvent } from './answers.js'
import { createBackoff } from './backoff.js'
import type { Environment } from './environment.js'
import { makeCutter, type StreamEvent } from './event-stream.js'
import type { Init } from './outgoing.js'
import { SILENCE, SOONEST, SPREAD } from './times.js'
import { type Fields, fieldsOf, within } from './tools.js'

interface Parts {
  readonly env: Environment
  /** Sends `GET /live`. */
  readonly open: (init: Init) => Promise<Response>
  /** Asks the server whether the sign-in lives. */
  readonly isStillIn: () => Promise<boolean>
}

/** Ignores an event of another version. */
function eventOf({ event, data }: Fields): LiveEvent | null {
  if (event !== 'hello' && event !== 'sign_ins' && event !== 'signed_out') return null
  return { event, data: JSON.parse(String(data ?? null)) }
}

/** @returns at its end whether the person is still signed in; undefined if the connection was lost */
async function read(
  { env, isStillIn }: Parts,
  { body }: Response,
  tell: (event: StreamEvent) => void,
): Promise<boolean | undefined> {
  const reader = body?.getReader()
  const cut = makeCutter()
  try {
    for (;;) {
      const chunk = (await within(env, SILENCE, reader?.read()))?.value
      if (!chunk) return
      for (const event of cut(chunk)) {
        tell(event)
        if (event.event === 'signed_out') return isStillIn()
      }
    }
  } catch {
  } finally {
    reader?.cancel().catch(() => {})
  }
}

/** Keeps the stream open until the sign-in is over, or nobody reads it. */
async function follow(
  parts: Parts,
  signal: AbortSignal,
  tell: (event: StreamEvent) => void,
): Promise<unknown> {
  const { env, open, isStillIn } = parts
  const backoff = createBackoff(env)
  while (!signal.aborted) {
    const response = await open({ headers: { accept: 'text/event-stream' }, signal }).catch(() => null)
    let isIn: boolean | undefined
    if (response?.ok) {
      isIn = await read(parts, response, tell)
      if (isIn === false) return
    } else if (/^4(?!29)/.test(`${response?.status}`)) return isStillIn()
    else backoff.fail(response)
    // If another sign-in has taken its place, or the token was refreshed, the server has not failed.
    const pause = isIn ? SOONEST : SOONEST + env.random() * SPREAD
    if (!signal.aborted) await env.wait(Math.max(backoff.left(), pause), signal)
  }
}

/** The live events of a sign-in, over one connection for all tabs that know it by the same key. */
export async function* liveEvents(
  parts: Parts,
  keyOf: () => Promise<string>,
  signals: readonly AbortSignal[],
): AsyncGenerator<LiveEvent, void, undefined> {
  const { env, isStillIn } = parts
  const key = await keyOf()
  const over = new AbortController()
  const signal = AbortSignal.any([over.signal, ...signals])
  if (signal.aborted) return
  const end = () => over.abort()
  const channel = env.openChannel?.(key)
  const inbox = new ReadableStream<unknown>({
    start(events) {
      if (channel) channel.onmessage = ({ data }) => events.enqueue(data)
      signal.addEventListener('abort', () => {
        channel?.close()
        events.close()
      })
      const tell = (event: StreamEvent) => {
        events.enqueue(event)
        channel?.postMessage(event)
      }
      const lead = () => follow(parts, signal, tell)
      // The other tabs, and readers of this one, wait for their turn.
      void (env.locks?.request(key, { signal }, lead) ?? lead()).then(end, end)
    },
  }).getReader()
  try {
    for (;;) {
      const { done, value } = await inbox.read()
      if (done) return
      const event = eventOf(fieldsOf(value))
      // Another sign-in may have taken its place.
      if (event && (event.event !== 'signed_out' || !(await isStillIn()))) yield event
    }
  } finally {
    end()
  }
}
