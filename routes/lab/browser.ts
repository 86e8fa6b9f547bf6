import type { LightMyRequestResponse } from 'fastify'
import type { Center } from './center.js'
import { CookieJar } from './cookie-jar.js'
import type { Exchange } from './exchange.js'
import type { Language, Text } from './text.js'

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
type Headers = Readonly<Record<string, string>>

export interface Sent {
  /** Says what the request is for. */
  readonly title: Text
  /** GET by default. */
  readonly method?: Method
  readonly path: string
  /** Further headers. They replace the browser's own ones of the same name, in lower case. */
  readonly headers?: Headers
  /** Sent as JSON; a text, as it is. */
  readonly body?: object | string
  /** The user center that gets it. By default, the one for which the browser was made. */
  readonly to?: Center | undefined
  /** The page that sends it: the user center's own one by default, a page of another origin, or none (a program). */
  readonly from?: 'own page' | 'program' | { readonly origin: string }
  /** Whether it opens a page, as a link or a form does. */
  readonly isNavigation?: boolean
}

export interface Answered {
  /** Its position in the outcome's exchanges. */
  readonly index: number
  readonly status: number
  /** The code of a refusal, or an empty text. */
  readonly error: string
  /** The parsed JSON, or null. */
  readonly json: unknown
  readonly setCookies: readonly string[]
}

/** A text inside of parsed JSON. @throws Error if it is not there: the experiment is wrong */
export function textAt(json: unknown, ...path: string[]): string {
  let value = json
  for (const name of path) {
    value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  }
  if (typeof value !== 'string') throw new Error(`there is no text at ${path.join('.')}`)
  return value
}

export interface BrowserOptions {
  /** Its address on the network. The throttle counts by it. */
  readonly ip: string
  readonly language: Language
  readonly clock: () => number
  /** Takes each exchange. @returns its position */
  readonly record: (exchange: Exchange) => number
}

const SAFE = /^(GET|HEAD|OPTIONS)$/

/** Site by hostname: the experiments need no list of public suffixes. */
function fetchSite(sent: Sent, own: URL): 'same-origin' | 'same-site' | 'cross-site' {
  if (typeof sent.from !== 'object') return 'same-origin'
  const from = new URL(sent.from.origin)
  if (from.origin === own.origin) return 'same-origin'
  return from.hostname === own.hostname && from.protocol === own.protocol ? 'same-site' : 'cross-site'
}

/** A browser as far as the experiments need one: cookies, their attributes, and the headers that no page can forge. */
export class Browser {
  readonly cookies: CookieJar
  /** `localStorage` of the user center's page. Every script of the page can read it. */
  readonly storage = new Map<string, string>()

  constructor(
    readonly center: Center,
    readonly options: BrowserOptions,
  ) {
    this.cookies = new CookieJar(center.origin.protocol === 'https:', options.clock)
  }

  async send(sent: Sent): Promise<Answered> {
    const { to = this.center, method = 'GET', path } = sent
    const headers = this.#headersOf(sent, method)
    const body = typeof sent.body === 'object' ? JSON.stringify(sent.body) : (sent.body ?? null)
    const { response, asked } = await to.answer({ method, path, headers, body, ip: this.options.ip })
    const setCookies = [response.headers['set-cookie'] ?? []].flat()
    if (sent.from !== 'program') for (const line of setCookies) this.cookies.keep(line)
    const exchange: Exchange = {
      title: sent.title,
      request: { method, path, headers: Object.entries(headers), body },
      response: { status: response.statusCode, headers: headerLines(response), body: response.body },
      asked,
    }
    return {
      index: this.options.record(exchange),
      status: response.statusCode,
      setCookies,
      ...readJson(response),
    }
  }

  #headersOf(sent: Sent, method: Method): Headers {
    const content: Headers = sent.body === undefined ? {} : { 'content-type': 'application/json' }
    const own = sent.from === 'program' ? {} : this.#browserHeaders(sent, method)
    const language = this.options.language === 'zh' ? 'zh-CN' : 'en'
    return { host: this.center.origin.host, 'accept-language': language, ...own, ...content, ...sent.headers }
  }

  #browserHeaders(sent: Sent, method: Method): Headers {
    const { origin } = this.center
    const site = fetchSite(sent, origin)
    const isSafe = SAFE.test(method)
    const cookie = this.cookies.header({
      path: sent.path.replace(/[?#].*/s, ''),
      isSafe,
      isCrossSite: site === 'cross-site',
      isNavigation: sent.isNavigation ?? false,
    })
    const from = typeof sent.from === 'object' ? sent.from.origin : origin.origin
    return {
      ...(isSafe && site === 'same-origin' ? {} : { origin: from }),
      'sec-fetch-site': site,
      ...(cookie === null ? {} : { cookie }),
    }
  }
}

/** Of one connection, and none of the experiment's business. */
const OF_CONNECTION = /^(connection|date|keep-alive|transfer-encoding)$/

function headerLines({ headers }: LightMyRequestResponse): [string, string][] {
  return Object.entries(headers)
    .filter(([name]) => !OF_CONNECTION.test(name))
    .flatMap(([name, value]) => [value ?? []].flat().map((each): [string, string] => [name, String(each)]))
}

function readJson({ body, headers }: LightMyRequestResponse): Pick<Answered, 'json' | 'error'> {
  if (!String(headers['content-type']).includes('json')) return { json: null, error: '' }
  const json: unknown = JSON.parse(body)
  const isRefusal = typeof json === 'object' && json !== null && 'error' in json
  return { json, error: isRefusal ? textAt(json, 'error') : '' }
}
