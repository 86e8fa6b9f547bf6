import { span, t } from './language.js'

/*
 * Updates the countdowns on the page without a repaint. They are not live regions: a screen reader would read them
 * every second.
 */

function showWait(element: HTMLElement, left: number): void {
  element.textContent = left > 0 ? `${t().failure.wait}${span(left)}` : t().failure.now
}

function tick(): void {
  const now = Date.now()
  for (const element of document.querySelectorAll<HTMLElement>('[data-wait]')) {
    showWait(element, (Number(element.dataset.wait) - now) / 1000)
  }
  for (const element of document.querySelectorAll<HTMLElement>('[data-left]')) {
    element.textContent = span((Number(element.dataset.left) - now) / 1000)
  }
  for (const bar of document.querySelectorAll<HTMLProgressElement>('progress[data-ends]')) {
    bar.value = Math.max(0, (Number(bar.dataset.ends) - now) / 1000)
  }
}

/** Updates the countdowns every second. */
export function startClock(): void {
  setInterval(tick, 1000)
}

export { tick as showTimes }
