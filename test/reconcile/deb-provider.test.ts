import t from 'tap'
import { debProvider } from '../../src/reconcile/providers/deb/deb.ts'
import { debWaits } from '../../src/reconcile/providers/deb/deb-tools.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { systemExec } from '../../src/world/exec.ts'
import { providerContract } from '../contract/provider-contract.ts'
import { buildDeb } from './packages.ts'

// apt and dpkg are real, and other tests run beside these.
t.setTimeout(1_200_000)

providerContract(
  t,
  async (t, patience) => {
    const folder = t.testdir({ root: {}, store: {}, work: {} })
    const targetRoot = `${folder}/root`
    const steps: string[] = []
    const waits = patience === 'short' ? { ...debWaits, transactionMs: 5000, repairMs: 5000 } : debWaits
    return {
      provider: debProvider({ targetRoot, exec: systemExec, disk: systemDisk, waits }),
      targetRoot,
      build: (wanted) => buildDeb(`${folder}/store`, wanted),
      filesOf: (name) => `${targetRoot}/opt/${name}`,
      insidePath: (file) => `${targetRoot}/${file}`,
      isNote: (file) => /^(var|etc)\//.test(file),
      context: {
        workFolder: `${folder}/work`,
        journal: async (step) => void steps.push(step),
        output: () => {},
        steps,
      },
    }
  },
  { needing: (name, version) => `${name} (>= ${version})`, knowsModes: false },
)
