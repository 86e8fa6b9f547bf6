#!/usr/bin/env node
import { main } from '../lib/cli/main.js'

/** As fastify-cli does for the server: a variable that is set already wins, and there may be no file. */
function loadEnvironment(): void {
  try {
    process.loadEnvFile()
  } catch {
    // The server goes on without it as well.
  }
}

// Whoever reads what is written may have seen enough (`| head`).
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => process.exit(1))
loadEnvironment()
process.exitCode = await main(process.argv.slice(2), process)
