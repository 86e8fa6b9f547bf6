import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { FastifyPluginAsync } from 'fastify'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { startRedis } from './redis-server.js'
import { makeDataDir } from './user-center.js'

/*
 * test/fixtures has, for each earlier version, what it left in its stores, the credentials that its clients hold, and
 * its plugins as they were published. fixtures/make.mjs made them.
 */

export interface Held {
  readonly name: string
  readonly headers: Record<string, string>
  readonly refresh?: string
  readonly expect: { readonly status: number; readonly username?: string; readonly error?: string }
}

export interface Left {
  readonly madeAt: number
  readonly secret: string
  readonly carts: { readonly visitor: string; readonly alice: string }
  readonly credentials: readonly Held[]
}

interface Version {
  readonly version: string
  /** Of its published plugins. */
  readonly entry: string
  /** Whether it authenticates the records of sign-ins. Claims and step-ups need that. */
  readonly seals: boolean
}

const VERSIONS: readonly Version[] = [
  { version: '0.1', entry: 'dist/plugins/index.js', seals: false },
  { version: '0.2', entry: 'plugins/dist/index.js', seals: true },
]

function fixturesOf({ version, entry, seals }: Version) {
  const fixture = (name: string) => join('test/fixtures', version, name)
  const readJson = (name: string) => JSON.parse(readFileSync(fixture(name), 'utf8'))
  const left: { readonly embedded: Left; readonly scaled: Left } = readJson('credentials.json')
  return {
    version,
    seals,
    left,
    dataDirWith(t: Test, database: string): string {
      const dataDir = makeDataDir(t)
      copyFileSync(fixture(database), join(dataDir, 'identity.db'))
      return dataDir
    },
    async restoredRedis(t: Test): Promise<string> {
      const server = await startRedis({ tcp: true })
      t.teardown(() => server.stop())
      const redis = new Redis(server.url)
      for (const { key, ttl, dump } of readJson('redis.json'))
        await redis.restore(key, ttl, Buffer.from(dump, 'base64'))
      await redis.quit()
      return server.url
    },
    /** The plugins as they were published. They find their packages in this checkout. */
    async publishedPlugins(t: Test): Promise<FastifyPluginAsync> {
      const directory = resolve('.tap', `published-${version}-${process.pid}`)
      mkdirSync(directory, { recursive: true })
      t.teardown(() => rmSync(directory, { recursive: true, force: true }))
      const { status } = spawnSync('tar', ['-xzf', fixture('plugins.tar.gz'), '-C', directory])
      t.equal(status, 0)
      const { default: plugin } = await import(pathToFileURL(join(directory, entry)).href)
      return plugin
    },
  }
}

export type EarlierVersion = ReturnType<typeof fixturesOf>

export const earlierVersions: readonly EarlierVersion[] = VERSIONS.map(fixturesOf)
