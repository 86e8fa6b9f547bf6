type Listener = (event: Event) => void
export type Child = Node | string | null | false | undefined | readonly Child[]
export type Attributes = Readonly<Record<string, string | number | boolean | null | undefined | Listener>>

function setAttribute(
  element: Element,
  name: string,
  value: Exclude<Attributes[string], null | undefined>,
): void {
  if (typeof value === 'function') element.addEventListener(name, value)
  else if (typeof value !== 'boolean') element.setAttribute(name, String(value))
  // For aria-* and data-*, false is a value. For others, it means absence.
  else if (name.startsWith('aria-')) element.setAttribute(name, String(value))
  else element.toggleAttribute(name, value)
}

function append(element: Element, child: Child): void {
  if (child === null || child === false || child === undefined) return
  if (child instanceof Node || typeof child === 'string') element.append(child)
  else for (const inner of child) append(element, inner)
}

/**
 * Makes an element with attributes and children. A function listens to the event of that name. Text stays text and
 * is never parsed as markup.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) setAttribute(element, name, value)
  }
  append(element, children)
  return element
}

/** Finds an element of index.html. @throws Error if the page has another version */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id)
  if (!element) throw new Error(`The page has no #${id}.`)
  return element
}

/** Replaces the content of an element of index.html. */
export function fill(id: string, content: Child): void {
  byId(id).replaceChildren(...h('div', {}, content).childNodes)
}

/** Has a text read out by screen readers: politely, or at once. */
export function announce(id: 'status' | 'alert', words: string): void {
  const region = byId(id)
  // Screen readers do not read a text again that has not changed.
  region.textContent = ''
  setTimeout(() => {
    region.textContent = words
  }, 50)
}
