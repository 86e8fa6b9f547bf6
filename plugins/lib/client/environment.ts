/*
 * The parts of a browser that the client needs. Node.js has only some of them, so the client looks up each one. The
 * declarations are local: the suite is compiled without the types of browsers.
 */

type Init = NonNullable<Parameters<typeof fetch>[1]>

/** Web Locks. */
export interface Locks {
  request(
    name: string,
    options: { readonly steal?: boolean; readonly signal?: AbortSignal },
    work: () => unknown,
  ): Promise<unknown>
}

/** A BroadcastChannel. */
export interface Channel {
  postMessage(message: unknown): void
  onmessage: ((event: { readonly data: unknown }) => void) | null
  close(): void
}

export interface Environment {
  /** With a `token`, the request goes to our server in the name of its holder. Browsers ignore it. */
  readonly fetch: (
    input: URL | Request,
    init: Init & { readonly token?: string | undefined },
  ) => Promise<Response>
  /** Milliseconds of a clock that nobody can set. */
  readonly now: () => number
  /** From 0 to 1. */
  readonly random: () => number
  /** Resolves after so many milliseconds, or as soon as the signal is aborted. */
  readonly wait: (ms: number, signal?: AbortSignal) => Promise<void>
  /** A signal that is aborted after so many milliseconds. */
  readonly timeout: (ms: number) => AbortSignal
  readonly locks?: Locks
  readonly openChannel?: (name: string) => Channel
  /** Calls back when the page is shown, restored or online again. */
  readonly onReturn?: (look: () => void, signal: AbortSignal) => void
}

declare const document: { readonly hidden: boolean }
declare const window: {
  addEventListener(
    type: string,
    listener: (event: { readonly persisted?: boolean }) => void,
    options: { readonly signal: AbortSignal },
  ): void
}
declare const navigator: { readonly locks?: Locks }
declare const BroadcastChannel: new (name: string) => Channel

function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal?.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

/** Does not use `focus`: two windows side by side would ask the server at each change of focus. */
function onReturn(look: () => void, signal: AbortSignal): void {
  // A page that has just been loaded is also shown, but it is not restored.
  for (const type of ['visibilitychange', 'pageshow', 'online'])
    window.addEventListener(type, ({ persisted }) => persisted !== false && !document.hidden && look(), {
      signal,
    })
}

/**
 * No channel and no locks outside of a page: the clients of a server belong to different people, and must not hear of
 * each other.
 */
export function findEnvironment(): Environment {
  const common: Environment = {
    fetch: (input, init) => fetch(input, init),
    wait,
    random: Math.random,
    now: () => performance.now(),
    timeout: (ms) => AbortSignal.timeout(ms),
  }
  if (typeof document === 'undefined') return common
  return { ...common, locks: navigator.locks, openChannel: (name) => new BroadcastChannel(name), onReturn }
}
