#!/usr/bin/env node
import { main } from '../lib/cli/main.js'

/** Reads `.env` as fastify-cli does for the server: a variable that is set wins, and the file is optional. */
function loadEnvironment(): void {
  try {
    process.loadEnvFile()
  } catch {
    // The server starts without the file as well.
  }
}

// A reader may close the pipe early (`| head`).
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => process.exit(1))
loadEnvironment()
process.exitCode = await main(process.argv.slice(2), process)
