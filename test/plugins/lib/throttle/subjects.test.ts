import t from 'tap'
import { createKeyRing } from '../../../../plugins/lib/credentials/keys.js'
import { addressBlock, createSubjects } from '../../../../plugins/lib/throttle/subjects.js'
import { NEXT_SECRET, SECRET } from '../../../helpers/suite.js'

const BLOCKS: Record<string, string> = {
  '192.0.2.7': '192.0.2.7',
  '::ffff:192.0.2.7': '192.0.2.7',
  '::FFFF:c000:207': '192.0.2.7',
  '0:0:0:0:0:ffff:192.0.2.7': '192.0.2.7',
  '2001:db8:1:2:3:4:5:6': '2001:db8:1:2::/64',
  '2001:0DB8:0001:0002::1': '2001:db8:1:2::/64',
  '2001:db8::1': '2001:db8:0:0::/64',
  '::1': '0:0:0:0::/64',
  '::': '0:0:0:0::/64',
  '1::ffff:192.0.2.7': '1:0:0:0::/64',
  // As some proxies write them into X-Forwarded-For: the port is the client's to choose.
  '192.0.2.7:49152': '192.0.2.7',
  '[2001:db8:1:2::9]:49152': '2001:db8:1:2::/64',
  '[2001:db8:1:2::9]': '2001:db8:1:2::/64',
  '[::ffff:192.0.2.7]:1': '192.0.2.7',
  '192.0.2.7:x': '192.0.2.7:x',
  '[unknown]:1': '[unknown]:1',
  'fe80::1%eth0': 'fe80:0:0:0::/64',
  '': '',
  'unix:': 'unix:',
}

t.test('an address is one client’s: IPv4 as it is, IPv6 by its /64', async (t) => {
  for (const [ip, block] of Object.entries(BLOCKS)) t.equal(addressBlock(ip), block, ip)
})

t.test('a subject names neither what was typed nor the address, and no two are the same', async (t) => {
  const subjects = createSubjects(createKeyRing([SECRET]).purpose('throttle'))
  const all = [
    subjects.account('a'),
    subjects.account('b'),
    subjects.address('a'),
    subjects.device('a'),
    subjects.pair('a', 'b'),
    subjects.pair('b', 'a'),
    createSubjects(createKeyRing([NEXT_SECRET]).purpose('throttle')).account('a'),
  ]
  t.equal(new Set(all).size, all.length)
  for (const subject of all) t.match(subject, /^\{[\w-]{22}\}$/)
  t.equal(subjects.account('Ｚoë'), subjects.account('zoe\u0308'))
  t.equal(subjects.pair(' A ', '::ffff:1.2.3.4'), subjects.pair('a', '1.2.3.4'))
})
