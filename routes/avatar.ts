/** Everything but letters, digits and the like could be markup. */
function initialOf(username: string): string {
  return /[\p{L}\p{N}]/u.exec(username)?.[0]?.toUpperCase() ?? '?'
}

/** A hue that stays the same for a name. */
function hueOf(username: string): number {
  return [...username].reduce((hue, character) => (hue * 31 + (character.codePointAt(0) ?? 0)) % 360, 7)
}

/** An avatar for an account without one: its initial on a colour of its own, as a `data:` address. */
export function initialAvatar(username: string): string {
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" fill="hsl(${hueOf(username)} 45% 45%)"/>` +
    `<text x="32" y="43" font-family="sans-serif" font-size="32" text-anchor="middle" fill="#fff">${initialOf(username)}</text></svg>`
  return `data:image/svg+xml,${encodeURIComponent(svg)}`
}
