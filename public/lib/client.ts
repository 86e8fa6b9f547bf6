import { type Client, type ClientEvent, createClient } from 'fastify-identity/client'
import type { Mode } from './answers.js'
import { update } from './store.js'
import { forgetTokens, hold } from './tokens.js'

/** Keeps the tokens for the inspector. */
function watchTokens(event: ClientEvent): void {
  if (event.type === 'signed_out') forgetTokens()
  else if (event.pair) hold(event.pair, event.type === 'refreshed')
  update({})
}

function make(mode: Mode): Client {
  const client = createClient({ mode, storage: 'cookie' })
  client.subscribe(watchTokens)
  return client
}

let current: { readonly mode: Mode; readonly client: Client } | null = null

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
