import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { logDestination } from '../../../routes/http/log-destination.js'

/** A destination, where it leads, and the faults that it told. */
function openDestination(t: Test, path: string) {
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  t.teardown(() => closeSync(fd))
  const told: string[] = []
  return { ...logDestination(fd, ({ message }) => void told.push(message)), fd, told }
}

/** The same into a pipe that only this test reads from. */
function openPipe(t: Test) {
  const path = join(t.testdir({}), 'pipe')
  execFileSync('mkfifo', [path])
  return openDestination(t, path)
}

/** Reads until a line comes. @returns all lines up to it */
async function readUntil(fd: number, last: string, meanwhile = () => {}): Promise<string[]> {
  const chunk = Buffer.alloc(65_536)
  const chunks: Buffer[] = []
  while (!Buffer.concat(chunks.slice(-2)).toString().endsWith(`${last}\n`)) {
    meanwhile()
    try {
      chunks.push(Buffer.from(chunk.subarray(0, readSync(fd, chunk))))
    } catch {
      await turn()
    }
  }
  return Buffer.concat(chunks).toString().trimEnd().split('\n')
}

test('a slow reader gets every line, in order', async (t) => {
  const { fd, write, told } = openPipe(t)
  const lines = Array.from({ length: 5000 }, (_, number) => `${number} ${'é'.repeat(40)}`)
  for (const line of lines) write(`${line}\n`)
  t.same(await readUntil(fd, lines.at(-1) ?? ''), lines)
  t.same(told, [])
})

test('of what nobody reads, a megabyte waits; later lines are dropped whole', async (t) => {
  const { fd, write } = openPipe(t)
  const line = 'x'.repeat(1023)
  for (let count = 0; count < 5000; count++) write(`${line}\n`)
  // It is dropped as well, until there is room.
  const lines = await readUntil(fd, 'the end', () => write('the end\n'))
  const kilobytes = lines.filter((each) => each === line).length
  t.ok(kilobytes > 1024 && kilobytes < 1100, `${kilobytes} kilobytes`)
  t.same([...new Set(lines)], [line, 'the end'])
})

test('what a full device refuses is dropped, and told once', async (t) => {
  const { write, told } = openDestination(t, '/dev/full')
  for (let count = 0; told.length === 0 || count < 100; count++) {
    write('a line\n')
    await turn()
  }
  t.match(told, [/^ENOSPC/])
  t.equal(told.length, 1)
})
