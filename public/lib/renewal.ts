import { type Child, h } from './dom.js'

/*
 * A repaint makes all elements anew. Most of them equal the old ones, and the old ones then stay: to compare elements is
 * much cheaper than to lay them out again.
 */

/** Elements of which a part may be renewed. They have no listeners. */
const PARTS = /^(SECTION|UL)$/

/** Whether the old element stays, with renewed children if it has to. */
function stays(old: Node, fresh: Node): boolean {
  // The listener of a button may depend on more than the button shows. That of a row or a form does not.
  if (old instanceof HTMLButtonElement) return false
  if (old.isEqualNode(fresh)) return true
  if (!(old instanceof Element && fresh instanceof Element && PARTS.test(old.tagName))) return false
  if (!old.cloneNode().isEqualNode(fresh.cloneNode())) return false
  renewChildren(old, fresh)
  return true
}

/** Keeps the first and the last children as far as they can stay, and replaces those between. */
function renewChildren(shown: Element, wanted: Element): void {
  const [old, fresh] = [[...shown.childNodes], [...wanted.childNodes]]
  const isKept = (from: number, to: number) => {
    const [one, other] = [old.at(from), fresh.at(to)]
    return one !== undefined && other !== undefined && stays(one, other)
  }
  const shorter = Math.min(old.length, fresh.length)
  let first = 0
  while (first < shorter && isKept(first, first)) first += 1
  let last = 0
  while (first + last < shorter && isKept(-1 - last, -1 - last)) last += 1
  const after = old.at(old.length - last) ?? null
  for (const gone of old.slice(first, old.length - last)) gone.remove()
  for (const added of fresh.slice(first, fresh.length - last)) shown.insertBefore(added, after)
}

/** Gives an element this content. What is there already stays. */
export function renew(element: Element, content: Child): void {
  renewChildren(element, h('div', {}, content))
}
