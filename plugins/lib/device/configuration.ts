import type { CookieSpec } from '../http/cookies.js'

export interface ConfigurationParts {
  readonly identifier: string
  readonly refreshPath: string
  /** Of the proof cookie. */
  readonly spec: CookieSpec
  /** Paths that need no proof, with all below them. */
  readonly excluded: readonly string[]
}

/** Spelled as in `Set-Cookie`. If the attributes differ, a browser refreshes before every request. */
function attributesOf({ attributes: { path, sameSite } }: CookieSpec): string {
  return `Path=${path}; Secure; HttpOnly; SameSite=${sameSite === 'lax' ? 'Lax' : 'Strict'}`
}

/**
 * The session configuration that a browser gets for a bound sign-in. It lets every site cause a refresh: otherwise a
 * person who follows a link from another site would arrive without a proof.
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
