/**
 * Draws a sequence diagram as SVG, without a browser. It has light and dark colours, text that can be selected, and a
 * description for screen readers.
 *
 * @typedef {import('./sequence.mjs').Sequence} Sequence
 * @typedef {import('./sequence.mjs').Step} Step
 * @typedef {'en' | 'zh'} Language
 * @typedef {import('./wrap.mjs').Label} Label
 * @typedef {Readonly<{ language: Language, x: number[], width: number }>} Frame the lifelines, and the whole width
 */

import { FONT, widthOf, wrap } from './wrap.mjs'

const LINE = 17
const WRAP_ARROW = 215
const WRAP_NOTE = 185
const LEAST_GAP = 160
const HEAD = 30

/** @param {Step} step @param {Language} language */
const labelOf = ({ kind, text }, language) => wrap(text[language], kind === 'note' ? WRAP_NOTE : WRAP_ARROW)

/** The space that a step needs right of the lifeline at `index`, in pixels. @param {Step} step @param {number} index @param {Language} language */
function spaceOf(step, index, language) {
  const { width } = labelOf(step, language)
  if (step.kind === 'note') return step.at === index || step.at === index + 1 ? width / 2 + 26 : 0
  if (step.kind === 'part') return 0
  return Math.min(step.from, step.to) === index && Math.abs(step.from - step.to) === 1 ? width + 30 : 0
}

/** @param {Sequence} sequence @param {Language} language @returns {Frame} */
function frameOf({ actors, steps }, language) {
  const gap = (/** @type {number} */ index) =>
    Math.max(0, ...steps.map((step) => spaceOf(step, index, language)))
  const heads = actors.map(({ name }) => widthOf(name[language]) / 2 + 22)
  const x = [Math.ceil(Math.max(gap(-1), heads[0] ?? 0))]
  for (const index of actors.keys()) {
    const least = index < actors.length - 1 ? LEAST_GAP : (heads.at(-1) ?? 0)
    x.push(Math.ceil((x.at(-1) ?? 0) + Math.max(least, gap(index))))
  }
  return { language, x: x.slice(0, -1), width: x.at(-1) ?? 0 }
}

/** @param {string} text */
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

/** @param {Label} label @param {number} x @param {number} y of the first line @param {string} style */
function drawText({ lines }, x, y, style = '') {
  return lines
    .map((line, index) => `<text x="${x}" y="${y + index * LINE}"${style}>${escaped(line)}</text>`)
    .join('\n')
}

/** @param {Step} step @param {Frame} frame @param {number} y @returns {{ svg: string, height: number }} */
function drawStep(step, { language, x, width }, y) {
  const label = labelOf(step, language)
  const tall = label.lines.length * LINE
  if (step.kind === 'part') {
    const text = drawText({ lines: [step.text[language]], width }, 10, y + 26, ' class="part"')
    return { svg: `<rect class="band" y="${y + 10}" width="${width}" height="24"/>${text}`, height: 42 }
  }
  if (step.kind === 'note') {
    const left = (x[step.at] ?? 0) - label.width / 2
    const box = `<rect class="note" x="${left - 9}" y="${y + 5}" width="${label.width + 18}" height="${tall + 9}" rx="4"/>`
    return { svg: box + drawText(label, left, y + 5 + LINE), height: tall + 20 }
  }
  const [from = 0, to = 0] = [x[step.from], x[step.to]]
  const line = `<path class="${step.isAnswer ? 'answer' : 'ask'}" d="M${from} ${y + tall + 8}H${to + (to > from ? -2 : 2)}" marker-end="url(#tip)"/>`
  const text = drawText(label, (from + to) / 2, y + LINE, ' text-anchor="middle"')
  return { svg: text + line, height: tall + 18 }
}

/** @param {Sequence} sequence @param {Frame} frame @param {number} y */
function drawHeads({ actors }, { language, x }, y) {
  return actors.map(({ name }, index) => {
    const label = { lines: [name[language]], width: widthOf(name[language]) }
    const middle = x[index] ?? 0
    const box = `<rect class="head" x="${middle - label.width / 2 - 14}" y="${y}" width="${label.width + 28}" height="${HEAD}" rx="5"/>`
    return box + drawText(label, middle, y + 20, ' text-anchor="middle" class="part"')
  })
}

/** All steps in words, for who cannot see them. @param {Sequence} sequence @param {Language} language */
function describe({ actors, steps }, language) {
  const name = (/** @type {number} */ index) => actors[index]?.name[language] ?? ''
  return steps.map((step) => {
    const text = step.text[language]
    if (step.kind === 'part') return `${text}.`
    return step.kind === 'note'
      ? `${name(step.at)}: ${text}`
      : `${name(step.from)} → ${name(step.to)}: ${text}`
  })
}

const STYLE = `svg{--paper:#fff;--ink:#1f2328;--line:#8c959f;--ask:#0a5cc2;--soft:#eef2f6;--note:#fff8dc}
@media (prefers-color-scheme:dark){svg{--paper:#0d1117;--ink:#e6edf3;--line:#6e7681;--ask:#6cb0ff;--soft:#1b222b;--note:#2b2713}}
text{fill:var(--ink);font:${FONT}px system-ui,sans-serif}.part{font-weight:600}.paper{fill:var(--paper)}
.band{fill:var(--soft)}.head{fill:var(--soft);stroke:var(--line)}.note{fill:var(--note);stroke:var(--line)}
.life{stroke:var(--line);stroke-dasharray:3 4}.ask,.answer{fill:none;stroke:var(--ask);stroke-width:1.4}
.answer{stroke-dasharray:6 4}.tip{fill:var(--ask)}`

/** @param {Sequence} sequence @param {Language} language @returns {string} */
export function drawSequence(sequence, language) {
  const frame = frameOf(sequence, language)
  const parts = []
  let y = HEAD + 14
  for (const step of sequence.steps) {
    const { svg, height } = drawStep(step, frame, y)
    parts.push(svg)
    y += height
  }
  const lives = frame.x.map((x) => `<path class="life" d="M${x} ${HEAD + 8}V${y + 10}"/>`)
  const height = y + 10 + HEAD + 8
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${frame.width} ${height}" width="${frame.width}" height="${height}" role="img" aria-labelledby="title steps" lang="${language === 'zh' ? 'zh-CN' : 'en'}">`,
    `<title id="title">${escaped(sequence.title[language])}</title>`,
    `<desc id="steps">${escaped(describe(sequence, language).join('\n'))}</desc>`,
    `<style>${STYLE}</style>`,
    '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker>',
    `<rect class="paper" width="${frame.width}" height="${height}"/>`,
    ...[...lives, ...drawHeads(sequence, frame, 8), ...parts, ...drawHeads(sequence, frame, y + 10)],
    '</svg>\n',
  ].join('\n')
}
