import type { AccountEvent } from '../lib/answers.js'
import { h } from '../lib/dom.js'
import { moment, tSignedIn } from '../lib/language.js'
import { badge, when } from './parts.js'

function change({ changed, to }: AccountEvent): string {
  const { events, roles } = { ...tSignedIn().account, ...tSignedIn().me }
  if (changed === 'role') return events.role(roles[String(to)] ?? String(to))
  if (changed === 'disabled') return to === true ? events.disabled : events.enabled
  return events.password
}

/** What happened, in words. A type that this page does not know is shown by its name. */
function happening(event: AccountEvent): string {
  const { types, keyMade } = tSignedIn().account
  if (event.type === 'account_changed') return change(event)
  if (event.type === 'signed_in' && event.auth_type === 'api_key') return keyMade
  return types[event.type] ?? event.type
}

function row(event: AccountEvent): HTMLElement {
  const { actors } = tSignedIn().account
  const actor = event.by === null ? undefined : actors[event.by]
  return h(
    'li',
    {},
    when(event.time, moment(event.time)),
    ` · ${happening(event)}`,
    actor !== undefined && ` · ${actor}`,
    event.auth_type && [' ', badge(event.auth_type)],
    event.ip !== null && ` · ${event.ip}`,
  )
}

/** Recent audit events, the newest first. */
export function eventsList(events: readonly AccountEvent[], labelledBy: string): HTMLElement {
  if (events.length === 0) return h('p', { class: 'fine' }, tSignedIn().account.noEvents)
  return h('ul', { class: 'list events', 'aria-labelledby': labelledBy }, ...events.map(row))
}
