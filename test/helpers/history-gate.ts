import { AsyncLocalStorage } from 'node:async_hooks'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { StateStore } from '../../plugins/index.js'
import type { RedisClient } from '../../plugins/lib/stores/redis/scripts.js'

/** How many turns of the event loop without news mean that every request waits for something. */
const QUIET_TURNS = 6
/** How long a history may take, in ms. */
const HANG = 120_000

/** A request that is being served, by its number. */
export type Request = number

interface Held {
  readonly by: Request
  readonly go: () => void
}

/**
 * Where the calls that a request makes to its stores are held, each before it is carried out and again before
 * its answer is handed on, until the history lets it go. What no request asked for (heartbeats, the test's own
 * questions) passes.
 */
export class Gate {
  readonly #request = new AsyncLocalStorage<Request>()
  readonly #running = new Set<Request>()
  #held: Held[] = []
  #requests = 0
  #executing = 0
  #news = 0
  /** While it is open, nothing is held. */
  open = true

  /** Starts a request. @param serve must not reject */
  start(serve: () => Promise<void>): Request {
    const request = ++this.#requests
    this.#running.add(request)
    void this.#request.run(request, serve).finally(() => {
      this.#running.delete(request)
      this.#news++
    })
    return request
  }

  /** Passes a call of the request that is being served. */
  async pass<T>(call: () => T | Promise<T>): Promise<T> {
    const by = this.#request.getStore()
    if (this.open || by === undefined) return call()
    await this.#hold(by)
    this.#executing++
    try {
      return await call()
    } finally {
      this.#executing--
      await this.#hold(by)
    }
  }

  /** Lets one of the held calls go, when every request has come to where it waits. */
  async release(pick: number): Promise<void> {
    await this.#quiet()
    this.#letGo(this.#held[pick % this.#held.length])
  }

  /** Lets so many calls of one request go, or until it is answered or waits for another one; the others stay. */
  async releaseOwn(request: Request, count: number): Promise<void> {
    for (let left = count; left > 0; left--) {
      await this.#quiet()
      if (!this.#letGo(this.#held.find(({ by }) => by === request))) return
    }
  }

  /** Until nothing is under way. @throws when that takes too long */
  async settle(): Promise<void> {
    for (const deadline = Date.now() + HANG; this.#running.size > 0 || this.#held.length > 0; ) {
      await this.release(0)
      if (Date.now() > deadline) throw new Error(`hangs: ${this.#running.size} requests`)
    }
    await this.#quiet()
  }

  #letGo(held: Held | undefined): boolean {
    this.#held = this.#held.filter((each) => each !== held)
    held?.go()
    return held !== undefined
  }

  #hold(by: Request): Promise<void> {
    this.#news++
    if (this.open) return Promise.resolve()
    return new Promise((resolve) => this.#held.push({ by, go: resolve }))
  }

  /** Until nothing has come for some turns of the event loop. One promise: they are what is slow under tap. */
  #quiet(): Promise<void> {
    return new Promise((resolve) => {
      const deadline = Date.now() + HANG
      const look = (turns: number, news: number) => {
        if (turns === QUIET_TURNS || Date.now() > deadline) resolve()
        else if (this.#executing > 0 || news !== this.#news) setImmediate(look, 0, this.#news)
        else setImmediate(look, turns + 1, news)
      }
      look(0, -1)
    })
  }
}

type Note = (name: string, args: readonly unknown[]) => void

function gated<T extends object>(target: T, gate: Gate, names: readonly string[], note?: Note): T {
  return new Proxy(target, {
    get(_, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        note?.(String(name), args)
        const call = () => Reflect.apply(value, target, args)
        return names.includes(String(name)) ? gate.pass(call) : call()
      }
    },
  })
}

/** By sign-in: where its session is stored. */
export type SessionKeys = Map<string, string>

const Added = Type.Object({ id: Type.String(), sessionKey: Type.String() })

function noteSessions(keys: SessionKeys): Note {
  return (name, [record]) => {
    if (name === 'addSignIn' && Value.Check(Added, record)) keys.set(record.id, record.sessionKey)
  }
}

const OPERATIONS = [
  'generation',
  'addSignIn',
  'findSignIn',
  'listSignIns',
  'touchSignIn',
  'rotateRefresh',
  'endSignIn',
  'endSignIns',
  'raiseEpoch',
  'createSession',
  'readSession',
  'replaceSession',
  'touchSession',
  'destroySession',
]

/**
 * A store whose operations are held, each as a whole. Not `isLive`: it answers from memory.
 * @param keys gets the key of every session that a sign-in has
 */
export function gatedStore(store: StateStore, gate: Gate, keys: SessionKeys): StateStore {
  return gated(store, gate, OPERATIONS, noteSessions(keys))
}

/** The same for a store whose client is gated already. */
export function notedStore(store: StateStore, gate: Gate, keys: SessionKeys): StateStore {
  return gated(store, gate, [], noteSessions(keys))
}

const COMMANDS = ['evalsha', 'eval', 'get', 'set', 'del', 'hget', 'hgetall', 'hdel', 'zmscore']

/** A client whose commands are held: others come between those that one operation of the store takes. */
export function gatedClient(client: RedisClient, gate: Gate): RedisClient {
  return gated(client, gate, COMMANDS)
}
