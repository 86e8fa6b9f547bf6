/*
 * The tabs of one browser share its cookies: who signs in or out in one of them has done so in all. What goes
 * through the channel says only that something changed; each tab asks the server what.
 */
const channel = new BroadcastChannel('sign-in')

/** Has the other tabs look. */
export const tellTabs = (): void => channel.postMessage('changed')

export function onOtherTab(look: () => void): void {
  channel.addEventListener('message', look)
}
