import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './blocks.js'

export const read = (page: string) => readFileSync(join(ROOT, page), 'utf8')

/** The page without its code, whose comments look like headings. */
export const proseOf = (page: string) => read(page).replaceAll(/^```[\s\S]*?^```$/gm, '```')

/** What a heading is linked by: lower case, no punctuation, hyphens for spaces. */
const anchorOf = (heading: string) =>
  heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-')

/** The anchors of a page, in their order. */
export function anchorsOf(page: string): string[] {
  return [...proseOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading))
}

/** Where the links and pictures of a text lead. */
export function targetsOf(text: string): string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)|src="([^"]+)"/g)].map(([, link, source]) => link ?? source ?? '')
}
