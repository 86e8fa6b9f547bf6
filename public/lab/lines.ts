import { pairs } from '../lib/decode.js'
import type { Exchange, Header } from './answers.js'

/** One row for each cookie: the browser joins all of them in one header. */
function expand([name, value]: Header): Header[] {
  const named = (cookie: string): Header => {
    const at = cookie.indexOf('=')
    return [`${name}: ${cookie.slice(0, at)}`, cookie.slice(at + 1)]
  }
  if (name === 'cookie') return value.split('; ').map(named)
  return [name === 'set-cookie' ? named(value) : [name, value]]
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return null
  }
}

/** One row for each field of a JSON object. */
function bodyLines(name: string, body: string | null): Header[] {
  if (body === null || body === '') return []
  const content = parsed(body)
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return [[name, body]]
  return pairs(content).map(([field, value]) => [
    `${name}: ${field}`,
    typeof value === 'string' ? value : JSON.stringify(value),
  ])
}

/** The parts of a message, as rows of a comparison. */
export interface Lines {
  readonly head: readonly Header[]
  readonly body: readonly Header[]
}

export function requestLines({ request }: Exchange, names: { line: string; body: string }): Lines {
  const line: Header = [names.line, `${request.method} ${request.path}`]
  return { head: [line, ...request.headers.flatMap(expand)], body: bodyLines(names.body, request.body) }
}

export function responseLines({ response }: Exchange, names: { status: string; body: string }): Lines {
  const line: Header = [names.status, String(response.status)]
  return { head: [line, ...response.headers.flatMap(expand)], body: bodyLines(names.body, response.body) }
}
