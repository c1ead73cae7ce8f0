// Runs a program that leaves a marker, and notes it where the environment says.

import { env } from 'node:process'
import { notingExec } from '../../../src/reconcile/apply/left-behind.ts'
import { systemExec } from '../../../src/world/exec.ts'

const { FILE = '', MARKER = '' } = env
await notingExec(systemExec, FILE).run({
  program: 'sh',
  args: ['-c', ': > "$1"; sleep 5', 'sh', MARKER],
  timeoutMs: 60_000,
})
