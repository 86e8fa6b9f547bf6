/** A cookie as a browser keeps it. */
export interface KeptCookie {
  readonly name: string
  readonly value: string
  readonly path: string
  readonly httpOnly: boolean
  readonly secure: boolean
  readonly sameSite: 'strict' | 'lax' | 'none'
  /** In ms. Null: until the browser closes. */
  readonly expiresAt: number | null
}

/** The facts about a request that decide which cookies it carries. */
export interface Carrier {
  readonly path: string
  readonly isSafe: boolean
  readonly isCrossSite: boolean
  /** Whether the address bar changes to it. */
  readonly isNavigation: boolean
}

/** The attributes of a `Set-Cookie` line, by their names in lower case. */
function attributesOf(parts: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    parts.map((part) => {
      const [name = '', ...value] = part.split('=')
      return [name.trim().toLowerCase(), value.join('=').trim()]
    }),
  )
}

const SAME_SITE = ['strict', 'lax', 'none'] as const

/** When it expires, in ms (RFC 6265 §5.3): `Max-Age` wins over `Expires`. Null: with the browser. */
function expiryOf(attributes: ReadonlyMap<string, string>, now: number): number | null {
  const seconds = attributes.get('max-age')
  if (seconds !== undefined && /^-?\d+$/.test(seconds)) return now + Number(seconds) * 1000
  const date = Date.parse(attributes.get('expires') ?? '')
  return Number.isNaN(date) ? null : date
}

function parseSetCookie(line: string, now: number): KeptCookie {
  const [pair = '', ...parts] = line.split(';')
  const [name = '', ...value] = pair.split('=')
  const attributes = attributesOf(parts)
  const sameSite = attributes.get('samesite')?.toLowerCase()
  const path = attributes.get('path') ?? ''
  return {
    name: name.trim(),
    value: value.join('=').trim(),
    path: path.startsWith('/') ? path : '/',
    httpOnly: attributes.has('httponly'),
    secure: attributes.has('secure'),
    // Browsers take Lax when the server says nothing.
    sameSite: SAME_SITE.find((each) => each === sameSite) ?? 'lax',
    expiresAt: expiryOf(attributes, now),
  }
}

function isPathBelow(path: string, of: string): boolean {
  return path === of || path.startsWith(of.endsWith('/') ? of : `${of}/`)
}

/** Cookies of one host over one connection, by the rules of RFC 6265bis. */
export class CookieJar {
  #cookies = new Map<string, KeptCookie>()

  /** @param isSecure whether the site is `https:` */
  constructor(
    readonly isSecure: boolean,
    readonly clock: () => number,
  ) {}

  /** Takes a `Set-Cookie` line of an answer. */
  keep(line: string): void {
    const cookie = parseSetCookie(line, this.clock())
    if (!this.#isAcceptable(cookie)) return
    // A replaced cookie keeps its place in the order.
    this.#cookies.set(`${cookie.name};${cookie.path}`, cookie)
  }

  /** What `document.cookie = line` does. @returns false if the browser ignores it: scripts cannot touch HttpOnly cookies */
  keepFromScript(line: string): boolean {
    const cookie = parseSetCookie(line, this.clock())
    const known = this.#live().find(({ name, path }) => name === cookie.name && path === cookie.path)
    if (cookie.httpOnly || known?.httpOnly || !this.#isAcceptable(cookie)) return false
    this.keep(line)
    return true
  }

  /** The `Cookie` header of a request, or null. */
  header(carrier: Carrier): string | null {
    return pairs(this.#live().filter((cookie) => this.#isSent(cookie, carrier))) || null
  }

  /** What a script reads from `document.cookie`. */
  forScript(): string {
    return pairs(this.#live().filter(({ httpOnly }) => !httpOnly))
  }

  get(name: string): KeptCookie | null {
    return this.#live().find((cookie) => cookie.name === name) ?? null
  }

  /** The browser closes: cookies without a lifetime are gone. */
  close(): void {
    this.#cookies = new Map([...this.#cookies].filter(([, { expiresAt }]) => expiresAt !== null))
  }

  #live(): KeptCookie[] {
    const now = this.clock()
    return [...this.#cookies.values()].filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
  }

  #isAcceptable({ name, secure, path, sameSite }: KeptCookie): boolean {
    if (name === '' || (secure && !this.isSecure)) return false
    if (sameSite === 'none' && !secure) return false
    if (/^__secure-/i.test(name)) return secure
    return !/^__host-/i.test(name) || (secure && path === '/')
  }

  #isSent({ path, sameSite }: KeptCookie, carrier: Carrier): boolean {
    if (!isPathBelow(carrier.path, path)) return false
    if (!carrier.isCrossSite || sameSite === 'none') return true
    return sameSite === 'lax' && carrier.isNavigation && carrier.isSafe
  }
}

const pairs = (cookies: readonly KeptCookie[]) =>
  cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
