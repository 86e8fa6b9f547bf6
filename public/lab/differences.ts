import type { Header } from './answers.js'
import type { Lines } from './lines.js'

/** A text in three parts. Only the middle one differs from the other text. */
type Parts = readonly [before: string, middle: string, after: string]

/** The same header of two messages. */
export interface Row {
  readonly name: string
  /** Null where the message lacks it. */
  readonly values: readonly [string | null, string | null]
  readonly parts: readonly [Parts, Parts]
}

function sharedStart(left: string, right: string): number {
  let length = 0
  while (length < left.length && left[length] === right[length]) length += 1
  return length
}

const reversed = (text: string) => [...text].reverse().join('')

/** Splits two texts at their common beginning and their common end. */
function partsOf(left: string, right: string): readonly [Parts, Parts] {
  const start = sharedStart(left, right)
  const end = sharedStart(reversed(left.slice(start)), reversed(right.slice(start)))
  const split = (text: string): Parts => [
    text.slice(0, start),
    text.slice(start, text.length - end),
    text.slice(text.length - end),
  ]
  return [split(left), split(right)]
}

/** A name may come several times, as `set-cookie` does: the n-th one belongs to the n-th one. */
function numbered(headers: readonly Header[]): Map<string, Header> {
  const seen = new Map<string, number>()
  return new Map(
    headers.map((header) => {
      const nth = (seen.get(header[0]) ?? 0) + 1
      seen.set(header[0], nth)
      return [`${header[0]} ${nth}`, header]
    }),
  )
}

/** In the order of the first message, then those that only the second has. */
function pair(left: readonly Header[], right: readonly Header[]): Row[] {
  const [ours, theirs] = [numbered(left), numbered(right)]
  return [...new Set([...ours.keys(), ...theirs.keys()])].map((key) => {
    const [own, other] = [ours.get(key), theirs.get(key)]
    const name = (own ?? other)?.[0] ?? ''
    const values = [own?.[1] ?? null, other?.[1] ?? null] as const
    return { name, values, parts: partsOf(values[0] ?? '', values[1] ?? '') }
  })
}

/** Puts two messages side by side. */
export function rowsOf(left: Lines, right: Lines): Row[] {
  return [...pair(left.head, right.head), ...pair(left.body, right.body)]
}
