// Runs one program to its end.

import { spawn } from 'node:child_process'

/** Resolves with its standard output; throws with its standard error if it does not end with 0. */
export async function run(program: string, args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (data) => {
    stdout += data
  })
  child.stderr.on('data', (data) => {
    stderr = (stderr + data).slice(-4000)
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (code === 0) return stdout
  throw new Error(`${program} ${args.join(' ')}: ended with ${code}: ${stderr.trim()}`)
}
