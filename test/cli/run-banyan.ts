// Runs the command line as a real process.

import { spawn } from 'node:child_process'
import path from 'node:path'

export const launcher = path.join(import.meta.dirname, '..', '..', 'src', 'cli', 'banyan.js')

export interface Ended {
  code: number | null
  signal: string | null
  stdout: string
  stderr: string
}

export interface RunOptions {
  node?: string
  program?: string
  env?: Record<string, string | undefined>
  cwd?: string
  /** Gets the process as soon as it has said something on standard output. */
  onOutput?: (kill: (signal: NodeJS.Signals) => void, stdout: string) => void
}

export function runBanyan(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = spawn(options.node ?? process.execPath, [options.program ?? launcher, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: options.cwd,
    env: { ...process.env, NODE_OPTIONS: undefined, BANYAN_HOME: undefined, ...options.env },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
    options.onOutput?.((signal) => child.kill(signal), stdout)
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
}
