import type { CookieSpec } from '../http/cookies.js'

export interface ConfigurationParts {
  readonly identifier: string
  readonly refreshPath: string
  /** The cookie that holds the proof. */
  readonly spec: CookieSpec
  /** Paths that need no proof, with all below them. */
  readonly excluded: readonly string[]
}

/** In the spelling of `Set-Cookie`. A browser that finds other attributes refreshes before every request. */
function attributesOf({ attributes: { path, sameSite } }: CookieSpec): string {
  return `Path=${path}; Secure; HttpOnly; SameSite=${sameSite === 'lax' ? 'Lax' : 'Strict'}`
}

/**
 * What a browser must know of a bound sign-in. Every site may cause a refresh: otherwise a link from another site would
 * arrive without a proof.
 */
export function configurationOf({ identifier, refreshPath, spec, excluded }: ConfigurationParts): object {
  return {
    session_identifier: identifier,
    refresh_url: refreshPath,
    scope: {
      include_site: false,
      scope_specification: excluded.map((path) => ({ type: 'exclude', path })),
    },
    credentials: [{ type: 'cookie', name: spec.name, attributes: attributesOf(spec) }],
    allowed_refresh_initiators: ['*'],
  }
}
