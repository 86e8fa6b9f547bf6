/**
 * A text that stands alone in memory. One that was cut out of a longer one (a driver's answer, a request's
 * header) keeps all of that for as long as it is kept itself.
 */
export function ownText(text: string): string {
  return Buffer.from(text).toString()
}
