import { createPrivateKey } from 'node:crypto'
import t from 'tap'
import { pemBlocks, splitPem } from '../../../../plugins/lib/token/pem.js'
import { keyPair } from '../../../helpers/signing-key.js'

const { privatePem, publicPem } = keyPair('RS256')

t.test('a block is found in whatever form an environment holds it', async (t) => {
  const forms = {
    'as it is': privatePem,
    'without its last line break': privatePem.trim(),
    'with escaped line breaks': privatePem.replaceAll('\n', '\\n'),
    'with escaped line breaks of Windows': privatePem.replaceAll('\n', '\\r\\n'),
    'with line breaks of Windows': privatePem.replaceAll('\n', '\r\n'),
    'with spaces for line breaks': privatePem.replaceAll('\n', ' '),
    indented: privatePem.replaceAll('\n', '\n    '),
    'on one line': privatePem.replaceAll('\n', ''),
  }
  for (const [form, text] of Object.entries(forms)) {
    t.strictSame(pemBlocks(text), [privatePem], form)
    t.equal(createPrivateKey(pemBlocks(text)[0] ?? '').type, 'private', `${form}: it can be read`)
  }
})

t.test('blocks keep their order, whatever stands between them', async (t) => {
  for (const between of ['', '\n', '\\n', ',', ', ', '\nissued to nobody\n'])
    t.strictSame(
      pemBlocks(privatePem + between + publicPem),
      [privatePem, publicPem],
      JSON.stringify(between),
    )
})

t.test('what is no block is handed back as it is', async (t) => {
  t.strictSame(splitPem(`/a.pem,${publicPem.trim()},/b.pem`), [
    { kind: 'other', text: '/a.pem,' },
    { kind: 'pem', text: publicPem },
    { kind: 'other', text: ',/b.pem' },
  ])
  for (const text of ['', 'C:\\new\\root.pem', privatePem.slice(0, -30), privatePem.slice(30)])
    t.strictSame(splitPem(text), [{ kind: 'other', text }])
})

t.test('a curve’s name before its key is no key', async (t) => {
  const name = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n'
  t.strictSame(pemBlocks(name + publicPem), [publicPem])
})

t.test('a block with headers keeps them, so that nobody takes it for a plain one', async (t) => {
  const block =
    '-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----'
  t.strictSame(pemBlocks(block), [block])
})
