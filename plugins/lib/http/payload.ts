/** A payload that can fail while it waits. */
interface Emitter {
  on(name: 'error', listener: (error: unknown) => void): unknown
  off(name: 'error', listener: (error: unknown) => void): unknown
}

export interface PayloadWatch {
  /** Ends the watch. @returns the stream's error, if there was one */
  end(): { readonly error: unknown } | null
}

const ignore = () => {}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/** True for a stream of node:stream, and for an object that Fastify takes for one. */
function isStream(payload: unknown): payload is Emitter & Record<string, unknown> {
  return isObject(payload) && typeof payload.pipe === 'function' && typeof payload.on === 'function'
}

/** Listens to a waiting stream: without a listener its error (a missing file) ends the process. Null for any other payload. */
export function watchPayload(payload: unknown): PayloadWatch | null {
  if (!isStream(payload)) return null
  let failure: { readonly error: unknown } | null = null
  const note = (error: unknown) => {
    failure ??= { error }
  }
  payload.on('error', note)
  return {
    end() {
      payload.off('error', note)
      return failure
    },
  }
}

/** Closes a payload that will not be sent, so that it keeps no file or socket open. Its errors are ignored. */
export function abandonPayload(payload: unknown): void {
  if (isStream(payload)) {
    payload.on('error', ignore)
    if (typeof payload.destroy === 'function') payload.destroy()
  } else if (isObject(payload)) cancel(payload instanceof Response ? payload.body : payload)
}

/** `cancel` of a locked stream rejects. Then the stream's reader closes it. */
function cancel(stream: unknown): void {
  if (stream instanceof ReadableStream) stream.cancel().catch(ignore)
}
