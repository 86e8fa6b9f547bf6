import type { Text } from './text.js'

type Header = readonly [name: string, value: string]

/** One request and its answer, as they were. */
export interface Exchange {
  readonly title: Text
  readonly request: {
    readonly method: string
    readonly path: string
    readonly headers: readonly Header[]
    readonly body: string | null
  }
  readonly response: {
    readonly status: number
    readonly headers: readonly Header[]
    readonly body: string
  }
  /** The server's questions, in order: to its own memory, or to a store. Empty: it needed none. */
  readonly asked: readonly Question[]
}

export interface Question {
  readonly of: 'memory' | 'store'
  readonly what: Text
}
