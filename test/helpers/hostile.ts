import fc from 'fast-check'

const encode = (text: string) => Buffer.from(text).toString('base64url')

/** Numbers on both sides of what a time, a count or a `Date` may be, and what JSON has for none. */
const ODD = [-1, -0, 0, 1, 1.5, 2 ** 31, 8.64e12, 8.64e12 + 1, 8.64e15 + 1, 2 ** 53 - 1, 2 ** 53, 1e21, 1e300]
const ODD_TEXTS = ['', '\0', '\ud800', '\ufffd', '__proto__', '{}', 'a'.repeat(257), '../..', '1e400']

const oddValue = fc.oneof(fc.constantFrom<unknown>(...ODD, ...ODD_TEXTS), fc.jsonValue())

/** JSON nested so deep that recursion over it would exhaust the stack, if there is room for so much. */
function nested(content: object, depth: number): string {
  return JSON.stringify({ ...content, ext: '@', data: '@', claims: '@' }).replaceAll(
    '"@"',
    `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`,
  )
}

/** Texts that a good MAC might stand behind, most of them one step away from what is genuine. */
export function hostileTexts(genuine: object, ...depths: number[]): fc.Arbitrary<string> {
  const names = Object.keys(genuine)
  const json = JSON.stringify(genuine)
  const changed = fc
    .record({ name: fc.oneof(fc.constantFrom(...names), fc.string()), value: oddValue })
    .map(({ name, value }) => JSON.stringify({ ...genuine, [name]: value }))
  const without = fc
    .constantFrom(...names)
    .map((name) =>
      JSON.stringify(Object.fromEntries(Object.entries(genuine).filter(([key]) => key !== name))),
    )
  const twice = fc
    .record({ name: fc.constantFrom(...names), value: oddValue })
    .map(({ name, value }) => `{${JSON.stringify(name)}:${JSON.stringify(value)},${json.slice(1)}`)
  const cut = fc.nat(json.length).map((length) => json.slice(0, length))
  const deep = fc.constantFrom(8, 200, ...depths).map((depth) => nested(genuine, depth))
  return fc.oneof(changed, without, twice, cut, deep, fc.json(), fc.string())
}

/** The same as base64url, and bytes that are no text. */
export function hostilePayloads(genuine: object): fc.Arbitrary<string> {
  const bytes = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('base64url'))
  // Spellings of the last bits, and of a length that no bytes have.
  const odd = fc.stringMatching(/^[\w-]{1,80}$/)
  return fc.oneof({ weight: 4, arbitrary: hostileTexts(genuine).map(encode) }, bytes, odd)
}
