/** Where `npm start` serves the user center, unless it is told otherwise. */
export const USUAL_ORIGIN = 'http://127.0.0.1:3000'

/** What every script begins with. The functions come only if the script uses them. */
const BASE = `BASE=$\{BASE:-${USUAL_ORIGIN}}`

const FUNCTIONS: Readonly<Record<string, string>> = {
  login: `login() { curl -s -H 'Content-Type: application/json' -d '{"username":"user1","password":"user123"}' "$@"; }`,
  error: `error() { grep -o '"error":"[A-Z_]*"'; }`,
  field: `field() { sed -n 's/.*"'"$1"'":"\\([^"]*\\)".*/\\1/p'; }`,
  value_of: `value_of() { sed -n 's/^[Ss]et-[Cc]ookie: '"$1"'=\\([^;]*\\).*/\\1/p'; }`,
  decode: `decode() { s=$(tr '_-' '/+'); while [ $(( $\{#s} % 4 )) -ne 0 ]; do s="$s="; done; printf %s "$s" | base64 -d; }`,
  encode: `encode() { base64 | tr -d '\\n=' | tr '/+' '_-'; }`,
}

/**
 * A script for bash that reproduces an experiment on the running server.
 * @param prints its last line of output, which is also its last comment
 */
export function script(body: string, prints: string): string {
  const used = Object.entries(FUNCTIONS).filter(([name]) => new RegExp(`\\b${name}\\b`).test(body))
  return [BASE, ...used.map(([, text]) => text), body.trim(), `# => ${prints}`, ''].join('\n')
}
