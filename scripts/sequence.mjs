/**
 * Reads the text form of a sequence diagram. Each line is one of these; `#` begins a comment:
 *
 *     title  A sign-in by cookie | 以 Cookie 登录
 *     actor  b Browser | 浏览器
 *     =      Sign-in | 登录                        a part of the sequence
 *     b -> s POST /login_cookie                    a request; --> is an answer
 *     s:     Checks the password. | 核对密码。     what an actor does by itself
 *
 * `|` stands between English and Chinese. A text without it is the same in both.
 *
 * @typedef {Readonly<{ en: string, zh: string }>} Text
 * @typedef {Readonly<{ id: string, name: Text }>} Actor
 * @typedef {Readonly<{ kind: 'part', text: Text }>} Part
 * @typedef {Readonly<{ kind: 'note', at: number, text: Text }>} Note `at` is the position of an actor
 * @typedef {Readonly<{ kind: 'arrow', from: number, to: number, isAnswer: boolean, text: Text }>} Arrow
 * @typedef {Part | Note | Arrow} Step
 * @typedef {{ title: Text, actors: Actor[], steps: Step[] }} Sequence
 */

/** @param {string} text @returns {Text} */
function textOf(text) {
  const [en = '', zh = en, ...more] = text.split('|').map((part) => part.trim())
  if (en === '' || zh === '' || more.length > 0)
    throw new Error(`"${text}" is not one text, or two with | between`)
  return { en, zh }
}

/** @param {Sequence} sequence @param {string | undefined} id */
function positionOf({ actors }, id) {
  const position = actors.findIndex((actor) => actor.id === id)
  if (position < 0) throw new Error(`no actor "${id}"`)
  return position
}

/** @type {readonly [RegExp, (sequence: Sequence, match: RegExpExecArray) => void][]} */
const LINES = [
  [
    /^title (.+)$/,
    (sequence, [, text = '']) => {
      sequence.title = textOf(text)
    },
  ],
  [
    /^actor +(\w+) (.+)$/,
    ({ actors }, [, id = '', name = '']) => {
      actors.push({ id, name: textOf(name) })
    },
  ],
  [
    /^= (.+)$/,
    ({ steps }, [, text = '']) => {
      steps.push({ kind: 'part', text: textOf(text) })
    },
  ],
  [
    /^(\w+) (--?>) (\w+) (.+)$/,
    (sequence, [, from, arrow, to, text = '']) => {
      const ends = { from: positionOf(sequence, from), to: positionOf(sequence, to) }
      if (ends.from === ends.to) throw new Error('an arrow needs two actors')
      sequence.steps.push({ kind: 'arrow', ...ends, isAnswer: arrow === '-->', text: textOf(text) })
    },
  ],
  [
    /^(\w+): (.+)$/,
    (sequence, [, at, text = '']) => {
      sequence.steps.push({ kind: 'note', at: positionOf(sequence, at), text: textOf(text) })
    },
  ],
]

/** @param {Sequence} sequence @param {string} line */
function readLine(sequence, line) {
  for (const [pattern, add] of LINES) {
    const match = pattern.exec(line)
    if (match) return add(sequence, match)
  }
  throw new Error(`cannot read "${line}"`)
}

/**
 * @param {string} source
 * @param {string} file for the messages of errors
 * @returns {Readonly<Sequence>}
 */
export function parseSequence(source, file) {
  /** @type {Sequence} */
  const sequence = { title: { en: '', zh: '' }, actors: [], steps: [] }
  for (const [index, line] of source.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    try {
      readLine(sequence, line.trim())
    } catch (cause) {
      throw new Error(`${file}:${index + 1}: ${cause instanceof Error ? cause.message : cause}`, { cause })
    }
  }
  if (sequence.title.en === '') throw new Error(`${file}: no title`)
  return sequence
}
