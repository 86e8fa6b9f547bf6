/** A copy of a text. A slice of a longer text (a driver's answer, a header) keeps all of that text in memory. */
export function ownText(text: string): string {
  return Buffer.from(text).toString()
}
