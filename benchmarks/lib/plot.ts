import { writeFileSync } from 'node:fs'
import type { Bar } from './results.js'

const WIDTH = 860
const LEFT = 330
const BAR = 18
const ROW = 26
const TOP = 54
/** The width of a ratio of 1. */
const SCALE = 440

const TITLE = 'Throughput as a share of the bare Fastify route’s'

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

function colourOf(name: string): string {
  if (name.startsWith('fastify-identity')) return '#2f6f4f'
  return /^(bare|the same)/.test(name) ? '#8a8a8a' : '#c08a3e'
}

function bar({ name, ratio: [low, middle, high] }: Bar, index: number): string {
  const y = TOP + index * ROW
  const at = (ratio: number) => (LEFT + ratio * SCALE).toFixed(1)
  const middleOfBar = y + BAR / 2
  return [
    `<text x="${LEFT - 8}" y="${middleOfBar + 4}" text-anchor="end">${escaped(name)}</text>`,
    `<rect x="${LEFT}" y="${y}" width="${(middle * SCALE).toFixed(1)}" height="${BAR}" fill="${colourOf(name)}"/>`,
    `<path d="M${at(low)} ${middleOfBar}H${at(high)}" stroke="#000" stroke-width="2"/>`,
    `<text x="${Number(at(Math.max(high, middle))) + 6}" y="${middleOfBar + 4}">${middle.toFixed(2)}</text>`,
  ].join('\n')
}

function gridLine(ratio: number, height: number): string {
  const x = LEFT + ratio * SCALE
  return (
    `<path d="M${x} ${TOP - 6}V${height - 12}" stroke="#ddd"/>` +
    `<text x="${x}" y="${TOP - 10}" text-anchor="middle" fill="#666">${ratio.toFixed(2)}</text>`
  )
}

/** Bars of the throughput as a share of the bare route's, with their quartiles. */
export function plot(bars: readonly Bar[], caption: string): string {
  const height = TOP + bars.length * ROW + 16
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13">`,
    `<title>${TITLE}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="12" y="22" font-size="15">${TITLE}</text>`,
    `<text x="${WIDTH - 12}" y="22" text-anchor="end" fill="#666">${escaped(caption)}</text>`,
    ...[0, 0.25, 0.5, 0.75, 1].map((ratio) => gridLine(ratio, height)),
    ...bars.map(bar),
    '</svg>\n',
  ].join('\n')
}

export function writePlot(file: string, bars: readonly Bar[], caption: string): void {
  writeFileSync(file, plot(bars, caption))
}
