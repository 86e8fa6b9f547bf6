import { createHash, randomInt } from 'node:crypto'

/*
 * `<prefix>_<id>_<secret>_<check>`. The id finds the key in the database, and is no secret. The check is a checksum of
 * the text before it. With it, a scanner recognises a leaked key, and we refuse a mistyped one without a query. It
 * proves nothing: anybody can compute it.
 */

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const ID_LENGTH = 16
/** 27 of 62 characters are 160 bits. */
const SECRET_LENGTH = 27
/** 6 of 62 characters hold 32 bits. */
const CHECK_LENGTH = 6

const ID = new RegExp(`^[0-9A-Za-z]{${ID_LENGTH}}$`)

/** Whether a text has the form of a key's id. Ids of other sign-ins are longer. */
export function isKeyId(text: string): boolean {
  return ID.test(text)
}

function randomText(length: number): string {
  return Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
}

/** The first 32 bits of the text's SHA-256, most significant digit first. */
function checkOf(text: string): string {
  let rest = createHash('sha256').update(text).digest().readUInt32BE()
  let check = ''
  for (let digit = 0; digit < CHECK_LENGTH; digit++) {
    check = `${ALPHABET[rest % ALPHABET.length]}${check}`
    rest = Math.floor(rest / ALPHABET.length)
  }
  return check
}

/** The form in which a key is stored. A secret of 160 bits cannot be guessed from it, so no slow hash is needed. */
export function hashOf(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

/** Makes and reads keys with a prefix. */
export class KeyFormat {
  /** The beginning of every key. */
  readonly start: string
  readonly #form: RegExp

  /** @param prefix small letters and digits */
  constructor(prefix: string) {
    this.start = `${prefix}_`
    this.#form = new RegExp(
      `^(${this.start}([0-9A-Za-z]{${ID_LENGTH}})_[0-9A-Za-z]{${SECRET_LENGTH}})_([0-9A-Za-z]{${CHECK_LENGTH}})$`,
    )
  }

  make(): { readonly id: string; readonly key: string } {
    const id = randomText(ID_LENGTH)
    const body = `${this.start}${id}_${randomText(SECRET_LENGTH)}`
    return { id, key: `${body}_${checkOf(body)}` }
  }

  /** The id of a key, or null if the text has another form or a wrong check. */
  idOf(text: string): string | null {
    const [, body = '', id = '', check = ''] = this.#form.exec(text) ?? []
    return id !== '' && check === checkOf(body) ? id : null
  }
}
