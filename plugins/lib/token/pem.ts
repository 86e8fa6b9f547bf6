/** Around a block (RFC 7468 §3) anything may stand. */
const BLOCK = /(-----BEGIN [A-Z0-9 ]+-----.*?-----END [A-Z0-9 ]+-----)/s
const PARTS = /^-----BEGIN ([A-Z0-9 ]+)-----(.*)-----END /s
/** An environment variable often holds its line breaks escaped, or as spaces. */
const BREAKS = /\\[nr]|\s/g

/** The block in its usual form, 64 characters to a line (RFC 7468 §2), which OpenSSL reads. */
function rewrap(block: string): string {
  const [, label = '', body = ''] = PARTS.exec(block) ?? []
  // The headers of an old encrypted key are no base64: such a block is left alone, to be refused as it is.
  if (body.includes(':')) return block
  const lines = body.replace(BREAKS, '').match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}

/** A part of a text: a PEM block, or what stands before, between or after the blocks. */
export interface TextPart {
  readonly kind: 'pem' | 'other'
  readonly text: string
}

/** Splits a text into its PEM blocks and the rest, in their order. */
export function splitPem(text: string): TextPart[] {
  return text
    .split(BLOCK)
    .map((part, index) =>
      index % 2 === 1 ? { kind: 'pem', text: rewrap(part) } : { kind: 'other', text: part },
    )
}

/**
 * The keys' PEM blocks in a text. `openssl ecparam -genkey` writes the curve's name before the key as a block
 * of its own, which says nothing that the key does not.
 */
export function pemBlocks(text: string): string[] {
  return splitPem(text)
    .filter(({ kind, text }) => kind === 'pem' && !text.startsWith('-----BEGIN EC PARAMETERS'))
    .map(({ text }) => text)
}
