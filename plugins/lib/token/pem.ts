/** A block (RFC 7468 §3) in any surrounding text. */
const BLOCK = /(-----BEGIN [A-Z0-9 ]+-----.*?-----END [A-Z0-9 ]+-----)/s
const PARTS = /^-----BEGIN ([A-Z0-9 ]+)-----(.*)-----END /s
/** An environment variable often holds its line breaks escaped, or as spaces. */
const BREAKS = /\\[nr]|\s/g

/** The block in its usual form, 64 characters to a line (RFC 7468 §2), which OpenSSL reads. */
function rewrap(block: string): string {
  const [, label = '', body = ''] = PARTS.exec(block) ?? []
  // An old encrypted key has headers. It stays as it is, and is refused later.
  if (body.includes(':')) return block
  const lines = body.replace(BREAKS, '').match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}

/** A PEM block, or the text before, between or after the blocks. */
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
 * The PEM blocks of keys in a text. Leaves out the block with the curve's name, which `openssl ecparam -genkey` writes
 * first.
 */
export function pemBlocks(text: string): string[] {
  return splitPem(text)
    .filter(({ kind, text }) => kind === 'pem' && !text.startsWith('-----BEGIN EC PARAMETERS'))
    .map(({ text }) => text)
}
