/** A payload that can fail while it waits. */
interface Emitter {
  on(name: 'error', listener: (error: unknown) => void): unknown
  off(name: 'error', listener: (error: unknown) => void): unknown
}

export interface PayloadWatch {
  /** Ends the watch. @returns what went wrong meanwhile */
  end(): { readonly error: unknown } | null
}

const ignore = () => {}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/** A stream of node:stream, or what passes for one. */
function isStream(payload: unknown): payload is Emitter & Record<string, unknown> {
  return isObject(payload) && typeof payload.pipe === 'function' && typeof payload.on === 'function'
}

/**
 * Listens to a stream that waits to be sent: one that fails without a listener (a missing file) ends the process. Null
 * for every other payload, which cannot.
 */
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

/** Closes what will not be sent, so that it holds no file and no socket, and fails unheard. */
export function abandonPayload(payload: unknown): void {
  if (isStream(payload)) {
    payload.on('error', ignore)
    if (typeof payload.destroy === 'function') payload.destroy()
  } else if (isObject(payload)) cancel(payload instanceof Response ? payload.body : payload)
}

/** A stream of the web: what is locked is somebody else's to close. */
function cancel(stream: unknown): void {
  if (stream instanceof ReadableStream) stream.cancel().catch(ignore)
}
