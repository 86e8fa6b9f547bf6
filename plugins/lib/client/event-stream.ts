/** Longer than any event of ours, in characters. Another kind of stream must not fill the memory. */
const MOST = 100_000

/** An event of a stream: its name and its data, as text. */
export interface StreamEvent {
  readonly event: string | undefined
  readonly data: string | undefined
}

/**
 * Cuts a stream of server-sent events (HTML, section 9.2) into events, from chunks of any size. It reads one line of data
 * for each event.
 */
export function makeCutter(): (chunk: Uint8Array) => StreamEvent[] {
  const decoder = new TextDecoder()
  let rest = ''
  return (chunk) => {
    const blocks = (rest + decoder.decode(chunk, { stream: true }).replace(/\r/g, '')).split('\n\n')
    rest = (blocks.pop() ?? '').slice(-MOST)
    return blocks.map((block) => ({
      event: /^event: ?(.*)$/m.exec(block)?.[1],
      data: /^data: ?(.*)$/m.exec(block)?.[1],
    }))
  }
}
