/*
 * The tabs of one browser share its cookies: a sign-in or sign-out in one tab changes all of them. A message says only
 * that something changed. Each tab then asks the server.
 */
const channel = new BroadcastChannel('sign-in')

/** Makes the other tabs check the caller. */
export const tellTabs = (): void => channel.postMessage('changed')

export function onOtherTab(look: () => void): void {
  channel.addEventListener('message', look)
}
