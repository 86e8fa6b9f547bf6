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

/** The repaint that waits for the next frame, and the element that takes the focus after it. */
interface Waiting {
  readonly paint: () => void
  readonly frame: number
  focus: string
}

let waiting: Waiting | null = null

/** Moves the focus and the view. Keyboards and screen readers continue from there. */
function focusNow(id: string): void {
  const element = document.getElementById(id)
  element?.focus({ preventScroll: true })
  // The title is at the top of the page. The header above it should stay in sight.
  if (id === 'title') scrollTo(0, 0)
  else element?.scrollIntoView({ block: 'nearest' })
}

function putBackAll({ values, focused, selection }: Kept): void {
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

/** Repaints now, and restores input and focus afterwards. */
export function repaint(paint: () => void): void {
  const { frame = 0, focus = '' } = waiting ?? {}
  cancelAnimationFrame(frame)
  waiting = null
  const kept = keep()
  paint()
  putBackAll(kept)
  if (focus !== '') focusNow(focus)
}

/** Repaints with the next frame. All changes until then share the repaint. */
export function repaintSoon(paint: () => void): void {
  waiting ??= { paint, frame: requestAnimationFrame(() => repaint(paint)), focus: '' }
}

/** Moves the focus to an element, if it exists. An element that is not painted yet takes it with the next repaint. */
export function focusOn(id: string): void {
  if (waiting) waiting.focus = id
  else focusNow(id)
}
