import { type Client, type ClientEvent, createClient, type LiveEvent } from 'fastify-identity/client'
import type { Mode } from './answers.js'
import { update } from './store.js'
import { forgetTokens, hold } from './tokens.js'

/** Keeps the tokens for the inspector. */
function watchTokens(event: ClientEvent): void {
  if (event.type === 'signed_out') forgetTokens()
  else if (event.pair) hold(event.pair, event.type === 'refreshed')
  update({})
}

/** Hears of the sign-in that the page follows. */
export interface Follower {
  /** It is over. @param error the code of the refusal */
  ended(error: string): void
  /** The stream is open, or open again. Changes before that are not reported. */
  begun(): void
  /** The list of sign-ins may have changed. */
  changed(): void
}

let listener: Follower = { ended() {}, begun() {}, changed() {} }

export function onSignIn(follower: Follower): void {
  listener = follower
}

function hear({ event }: LiveEvent): void {
  if (event === 'hello') listener.begun()
  else if (event === 'sign_ins') listener.changed()
}

/** Follows the sign-in until the client is forgotten. All tabs of the browser share one connection. */
export async function follow(): Promise<void> {
  if (!current || current.isFollowed) return
  current.isFollowed = true
  for await (const event of current.client.live()) hear(event)
}

function make(mode: Mode): Client {
  const client = createClient({ mode, storage: 'cookie' })
  client.subscribe((event) => {
    // A forgotten client may still get an answer.
    if (client !== current?.client) return
    watchTokens(event)
    if (event.type === 'signed_out') listener.ended(event.error)
  })
  return client
}

let current: { readonly mode: Mode; readonly client: Client; isFollowed?: boolean } | null = null

/** The suite's client, in the mode that the page uses now. */
export function client(): Client {
  current ??= { mode: 'cookie', client: make('cookie') }
  return current.client
}

/** Goes on in this mode. Forgets the tokens of another one. */
export function useMode(mode: Mode): void {
  if (current?.mode === mode) return
  current?.client.close()
  forgetTokens()
  current = { mode, client: make(mode) }
}

/** Forgets everything about the sign-in. The next one may be in any mode. */
export function forgetClient(): void {
  current?.client.close()
  current = null
  forgetTokens()
}
