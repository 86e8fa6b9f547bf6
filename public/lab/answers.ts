import { type Decoder, listOf, number, oneOf, orNull, shape, text } from '../lib/decode.js'

/** The lab's answers, in the language of the request. */

const option = shape({ id: text, text })
const choice = shape({ id: text, label: text, options: listOf(option) })

const description = shape({
  name: text,
  number,
  title: text,
  claim: text,
  question: text,
  predictions: listOf(option),
  choices: listOf(choice),
  edit: orNull(oneOf('credential')),
  next: listOf(shape({ text, experiment: orNull(text), path: orNull(text) })),
})
export type Description = ReturnType<typeof description>
export const descriptions = listOf(description)

function twoOf<T>(decode: Decoder<T>): Decoder<readonly [T, T]> {
  return (value) => {
    if (!Array.isArray(value) || value.length !== 2) throw new TypeError('The answer has no pair.')
    return [decode(value[0]), decode(value[1])]
  }
}

const header = twoOf(text)
export type Header = ReturnType<typeof header>

const exchange = shape({
  title: text,
  request: shape({ method: text, path: text, headers: listOf(header), body: orNull(text) }),
  response: shape({ status: number, headers: listOf(header), body: text }),
  asked: listOf(shape({ of: oneOf('memory', 'store'), what: text })),
})
export type Exchange = ReturnType<typeof exchange>

export const outcome = shape({
  right: text,
  exchanges: listOf(exchange),
  compare: orNull(twoOf(number)),
  findings: listOf(shape({ label: text, value: text })),
  verdict: text,
  curl: text,
})
export type Outcome = ReturnType<typeof outcome>
