import { test } from 'tap'
import { chooseCoding } from '../../../routes/http/coding.js'

test('the coding with the highest weight is chosen, and of equal ones the best (RFC 9110 §12.5.3)', (t) => {
  for (const [header, chosen] of [
    [undefined, 'identity'],
    ['', 'identity'],
    ['gzip, deflate, br, zstd', 'br'],
    ['gzip, deflate', 'gzip'],
    ['GZIP', 'gzip'],
    ['br;q=0.5, gzip;q=0.8', 'gzip'],
    ['br ; q=0.5,gzip ;q=0.4', 'br'],
    ['br;q=0, gzip', 'gzip'],
    ['br;q=0', 'identity'],
    ['br;q=0, *', 'gzip'],
    ['*', 'br'],
    ['*;q=0, gzip;q=0.1', 'gzip'],
    ['*;q=0, identity', 'identity'],
    ['identity', 'identity'],
    ['identity, gzip;q=0.5', 'identity'],
    ['identity;q=0.5, gzip', 'gzip'],
    ['identity;q=0, br', 'br'],
    ['zstd, compress', 'identity'],
    // A member that cannot be understood says nothing.
    ['br;q=high, gzip;level=9', 'identity'],
    ['identity;q=0', null],
    ['*;q=0', null],
    ['zstd, *;q=0.0', null],
  ] as const)
    t.equal(chooseCoding(header, ['br', 'gzip', 'identity']), chosen, header ?? 'none')
  t.equal(chooseCoding('br, gzip', ['identity']), 'identity', 'a file without compressed forms')
  t.equal(chooseCoding('identity;q=0, br', ['identity']), null)
  t.end()
})
