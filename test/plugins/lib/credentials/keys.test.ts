import t from 'tap'
import { createKeyRing, type Purpose, SECRET_BYTES } from '../../../../plugins/lib/credentials/keys.js'

const ASCII = 'A secret of 32 bytes: 0123456789'
const UMLAUT = 'Ein zweites, längeres Geheimnis – nicht geheim'

/*
 * Computed by node:crypto alone: HKDF-SHA256 of the secret, no salt, info `fastify-identity/v1/<label>`.
 * A change of any of them signs everybody out.
 */
const VECTORS: Record<string, { id: string; keys: Record<Purpose, string> }> = {
  [ASCII]: {
    id: 'KYumSSN_',
    keys: {
      cookie: 'e1e01b7aaf65aa3e8ae18e4b3a5880fa8f5dd0a1efad37fb0147f0a287576036',
      'session-id': '5f6ef93b304d399853d2e8278988826b7ea34a5d93437e4be600b30b282478b2',
      'session-data': '52b3a90673fedfa357e2d2d8a1894b01599ccf050537facdc7c861ac835acff5',
      'access-token': '56d11c360df4102d75f7be8782d11ca6c4fc4dbb4a6295519f2e63d9fd15c73e',
      'refresh-token': 'fca98fa0d8f7cce45a9410af7b2e326f7a14f6e9cd2bde2df2cb5abf4d5c9cc9',
      'sign-in': 'f4aebcf1853e00a9ebaecaeba66713768e9822e287c012bb68abda77cd910e66',
      device: '4d040922f08b78650efbca304a1fb74fc63122e7d4ec115e1b325fb64f76b4ae',
      throttle: '5086459bba0eba59cd64cebe28396f65c503f7777149647ced72d4bcdf7f275c',
      'dpop-nonce': 'd288e5437d57fcfab2cb68caca5701d079288d8a8e90f868275bc124839bb08d',
      'device-binding': 'f32c4c1c5457d6575d774a416be3997bd8c3ebc0daa2a3e01ade035870e7714e',
      'device-code': '51ec5fcff740c485b20935e47945edc52a74c345a91ba6d656fb0b9ee4de7d70',
      'device-challenge': 'ce479b291a729679d150ee3c37a5fdbac912bcf0ea38af6091fd90880c64b59f',
      'device-proof': 'f500ce633962ad30c136d97517651da93b77579712cc0b8f49b619eca7e0225c',
      mail: 'ba9a6c014ba4c7c079bedc58911a4d542bb53d4fc93292a1e5e7c6fe90966e72',
      factor: 'd1e1bacebf6af3107a787b05c90bdb52dc4c139bccb5c1ca35d7cb0cdf891c9b',
      pending: '04032c0b57c562b92c4e89ea4f614b117f6d3436e3cea99109d776ba2c4b7cd5',
      'passkey-challenge': '8b5716ca10c7bfed071dd3cda96e3acfaf7f58f9f34b2b497870bfcf259d7261',
    },
  },
  [UMLAUT]: {
    id: 'XnFOhz1o',
    keys: {
      cookie: '6568e9ad3b08b196553328664af3c3dd4603a9f3fcba822e61dd864b69e9d30d',
      'session-id': '8ceae256ef4ac8cb172fc709123ca466530562ed7def6d4e49bcc0c3dd32840d',
      'session-data': '295f86f00c2758631e4a7303b952b44106495c4da98c29a7e2b2978c0bc391d2',
      'access-token': '3c5dfe58df22890c7fd35fc42f5691dd266c06d9f5efdcd00bb36abff8aa5581',
      'refresh-token': '240d0af84017eb70d97ad363159dbf8053b4e30decf01d53fcbefd9c7f834245',
      'sign-in': '7efcafb30d7b172b55c7bdf8f86014c3c437de1289b3d6bd0ecd53c09be0d6ac',
      device: 'be2e8a5cfa99aeccd007ab30e20fc127ea98e3f54374ea6e97c87e4a85e7fc69',
      throttle: '37e67d6c8f8f7559899469239599d26ad126238172c8a7d77eba7eebe3294063',
      'dpop-nonce': '28f4a95702a7b178f978c5b75248b3957a3af09fd658f51917c3f5592208a639',
      'device-binding': '3ff5595a5577c402e792e7b43c946bcc5273bb8ea54ea123acdb13a02ddc04e8',
      'device-code': 'ad1b9dcdf7a526f5f909f4305743a61e20240e4e687d01fdd9182299234844a1',
      'device-challenge': '06b7a82eb6ea739de82b730a9660fa6d0c52d58d916b9ddbc0c806e46f191794',
      'device-proof': '32df32393c7b31ebbec28189094e3cf8686130ada7d3c740b290b139df50b8f3',
      mail: '63372dec64577ca5f35cf65a6515693f558fe17d9d4d390ec7df293a7cfd7294',
      factor: '365506bf18b24f5516fc3d03dba4a06d366fc6ff6a9961a2efa30816a8224c76',
      pending: '38c8fe2758fbd77510425f15594ecbdfa1cdda37c1307f0e570591d278e2f1ba',
      'passkey-challenge': '129e869518c963b4fc6dbda4b82ae5f6eb4b3c5d0a0c38f183f3302297d1e8b2',
    },
  },
}

const PURPOSES = [
  'cookie',
  'session-id',
  'session-data',
  'access-token',
  'refresh-token',
  'sign-in',
  'device',
  'throttle',
  'dpop-nonce',
  'device-binding',
  'device-code',
  'device-challenge',
  'device-proof',
  'mail',
  'factor',
  'pending',
  'passkey-challenge',
] as const satisfies readonly Purpose[]

const hex = (secrets: readonly string[], purpose: Purpose) =>
  createKeyRing(secrets).purpose(purpose).signing.key.export().toString('hex')

for (const [secret, { id, keys }] of Object.entries(VECTORS)) {
  t.test(`keys and key id of the test vector ${id} are what they always were`, async (t) => {
    for (const purpose of PURPOSES) {
      const { signing } = createKeyRing([secret]).purpose(purpose)
      t.equal(signing.key.export().toString('hex'), keys[purpose], purpose)
      t.equal(signing.id, id, `${purpose}: id`)
    }
  })
}

t.test('every purpose and every secret has a key of its own', async (t) => {
  const secrets = Array.from({ length: 8 }, (_, index) => `${index} ${'x'.repeat(SECRET_BYTES)}`)
  const all = secrets.flatMap((secret) => PURPOSES.map((purpose) => hex([secret], purpose)))
  t.equal(new Set(all).size, secrets.length * PURPOSES.length)
  const ids = secrets.map((secret) => createKeyRing([secret]).purpose('cookie').signing.id)
  t.equal(new Set(ids).size, secrets.length)
})

t.test('the first secret signs, every secret is found by its id, wherever it stands', async (t) => {
  for (const secrets of [
    [ASCII, UMLAUT],
    [UMLAUT, ASCII],
  ]) {
    const { signing, all, find } = createKeyRing(secrets).purpose('cookie')
    t.same(
      all.map(({ id }) => id),
      secrets.map((secret) => VECTORS[secret]?.id),
    )
    t.equal(signing, all[0])
    for (const secret of secrets) {
      const { id = '', keys } = VECTORS[secret] ?? {}
      t.equal(find(id)?.export().toString('hex'), keys?.cookie, `${id} of ${secrets.length}`)
    }
  }
})

t.test('an unknown id finds nothing', async (t) => {
  const { find } = createKeyRing([ASCII]).purpose('cookie')
  for (const id of [
    VECTORS[UMLAUT]?.id ?? '',
    '',
    'KYumSSN',
    'KYumSSN-',
    'kyumssn_',
    '0',
    '__proto__',
    'constructor',
  ]) {
    t.equal(find(id), undefined, JSON.stringify(id))
  }
})

t.test('a ring derives each purpose once, and nobody can change what it hands out', async (t) => {
  const ring = createKeyRing([ASCII, UMLAUT])
  const keys = ring.purpose('cookie')
  t.equal(ring.purpose('cookie'), keys)
  t.not(ring.purpose('session-id'), keys)
  for (const value of [ring, keys, keys.all, keys.signing]) t.ok(Object.isFrozen(value))
})

t.test('the ring keeps its own copy of the secrets', async (t) => {
  const secrets = [ASCII]
  const ring = createKeyRing(secrets)
  secrets[0] = UMLAUT
  t.equal(ring.purpose('cookie').signing.id, VECTORS[ASCII]?.id)
})

t.test('length is counted in bytes, not in characters', async (t) => {
  t.ok(createKeyRing(['ä'.repeat(16)]))
  t.throws(() => createKeyRing(['ä'.repeat(15)]), { code: 'OPTION_INVALID' })
})

t.test('secrets that cannot be keys are refused at once, and not quoted', async (t) => {
  const refused: Record<string, unknown> = {
    'no list': undefined,
    null: null,
    'one text instead of a list': ASCII,
    'no secret': [],
    'an empty secret': [''],
    'a short one': [ASCII.slice(1)],
    'a short one behind a good one': [ASCII, ASCII.slice(1)],
    'undefined behind a good one': [ASCII, undefined],
    'a number': [2 ** 300],
    'bytes instead of text': [Buffer.from(ASCII)],
    'one listed twice': [ASCII, UMLAUT, ASCII],
  }
  for (const [what, secrets] of Object.entries(refused)) {
    const error = t.throws(
      () => createKeyRing(secrets as string[]),
      { code: 'OPTION_INVALID', statusCode: 500 },
      what,
    )
    t.notMatch(String(error), ASCII.slice(1), `${what}: not quoted`)
    t.match(String(error), 'secrets', `${what}: names the option`)
  }
})
