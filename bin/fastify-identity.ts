#!/usr/bin/env node
import { main } from '../plugins/lib/cli/main.js'

process.exitCode = await main(process.argv.slice(2), process)
