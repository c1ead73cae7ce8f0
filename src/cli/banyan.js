#!/usr/bin/env node
// The program's first file, which any Node since 18 can parse. Under a Node that is too old for
// banyan, it finds the project's own Node and runs itself with that.

import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const nodeMajorMin = 26
const self = fileURLToPath(import.meta.url)

if (Number.parseInt(process.versions.node, 10) >= nodeMajorMin) {
  const { enableCompileCache } = await import('../world/compile-cache.js')
  enableCompileCache()
  await import('./main.ts')
} else {
  const runtime = ownRuntime()
  if (runtime === undefined) {
    process.stderr.write(
      `error: banyan needs Node ${nodeMajorMin}, this is ${process.versions.node}\n` +
        `hint: npm ci brings the right one along on Linux x64 and arm64; elsewhere install Node ${nodeMajorMin}\n`,
    )
    process.exitCode = 1
  } else {
    runWith(runtime)
  }
}

function ownRuntime() {
  for (let folder = path.dirname(self); ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node')
    if (fs.existsSync(candidate)) return candidate
    if (folder === path.dirname(folder)) return undefined
  }
}

/**
 * Stands in for the real process: it shares its input and output, passes signals on, and ends the
 * way it ends.
 */
function runWith(runtime) {
  const child = spawn(runtime, [self, ...process.argv.slice(2)], { stdio: 'inherit' })
  const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of forwarded) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`error: cannot run ${runtime}: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (signal === null) {
      process.exitCode = code ?? 1
      return
    }
    for (const name of forwarded) process.removeAllListeners(name)
    process.exitCode = 128 + (os.constants.signals[signal] ?? 0)
    process.kill(process.pid, signal)
  })
}
