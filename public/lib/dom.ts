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

/** Moves the focus to an element, if it exists. Keyboards and screen readers continue from there. */
export function focusOn(id: string): void {
  const element = document.getElementById(id)
  element?.focus({ preventScroll: true })
  // The title is at the top of the page. The header above it should stay in sight.
  if (id === 'title') scrollTo(0, 0)
  else element?.scrollIntoView({ block: 'nearest' })
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

/** Saves input, choices and open details by element id, to restore them after a repaint. */
interface Kept {
  readonly values: ReadonlyMap<string, string | boolean>
  readonly focused: string
  readonly selection: readonly [number | null, number | null]
}

function stateOf(element: Element): string | boolean | null {
  if (element instanceof HTMLDetailsElement) return element.open
  if (!(element instanceof HTMLInputElement) || element.type === 'radio') return null
  return element.type === 'checkbox' ? element.checked : element.value
}

function putBack(element: Element, value: string | boolean): void {
  if (element instanceof HTMLDetailsElement) element.open = value === true
  else if (element instanceof HTMLInputElement && typeof value === 'boolean') element.checked = value
  else if (element instanceof HTMLInputElement) element.value = String(value)
}

function keep(): Kept {
  const values = new Map<string, string | boolean>()
  for (const element of document.querySelectorAll('input[id], details[id]')) {
    const value = stateOf(element)
    if (value !== null) values.set(element.id, value)
  }
  const active = document.activeElement
  const typed =
    active instanceof HTMLInputElement && /^(text|search|password)$/.test(active.type) ? active : null
  return {
    values,
    focused: active?.id ?? '',
    selection: [typed?.selectionStart ?? null, typed?.selectionEnd ?? null],
  }
}

/** Runs a repaint, and restores input and focus afterwards. */
export function repaint(paint: () => void): void {
  const { values, focused, selection } = keep()
  paint()
  for (const [id, value] of values) {
    const element = document.getElementById(id)
    if (element) putBack(element, value)
  }
  const element = focused === '' ? null : document.getElementById(focused)
  if (!element || element === document.activeElement) return
  element.focus({ preventScroll: true })
  const [start, end] = selection
  if (element instanceof HTMLInputElement && start !== null) element.setSelectionRange(start, end)
}
