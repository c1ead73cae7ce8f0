// The program of the apply process: `apply-main.ts HOME TXID TARGET_ROOT`.

import path from 'node:path'
import { Failure } from '../../model/failure.ts'
import { verifyOffline } from '../../trust/trust-store.ts'
import { systemClock } from '../../world/clock.ts'
import { systemDisk } from '../../world/disk.ts'
import { systemExec } from '../../world/exec.ts'
import { applyProcess } from './apply-process.ts'

const [home, txid, targetRoot] = process.argv.slice(2)
if (home === undefined || txid === undefined || targetRoot === undefined) {
  throw new Failure('bad-input', 'expected HOME TXID TARGET_ROOT')
}

// Scripts and hooks make files that services read, whatever the umask of who has called.
process.umask(0o022)

// A signal stops the apply between packages, never within one: a killed package manager leaves a
// package half-way.
let stopping = false
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.on(signal, () => {
    stopping = true
  })
}

const done = await applyProcess({
  home,
  txid,
  targetRoot,
  exec: systemExec,
  disk: systemDisk,
  clock: systemClock,
  isStopping: () => stopping,
  async trustedRevision() {
    const { revision } = await verifyOffline(path.join(home, 'tuf'), systemDisk)
    if (revision === null) throw new Failure('untrusted', 'the signed metadata names no revision')
    return revision.sha256
  },
})
// Daemons that wait for this process hold connections to it, and see it end by them.
process.exit(done ? 0 : 75)
