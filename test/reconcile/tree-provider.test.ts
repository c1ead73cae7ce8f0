import t from 'tap'
import { treeProvider } from '../../src/reconcile/providers/tree/tree.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { systemExec } from '../../src/world/exec.ts'
import { providerContract } from '../contract/provider-contract.ts'
import { buildTree } from './packages.ts'

providerContract(
  t,
  async (t, patience) => {
    const folder = t.testdir({ root: {}, store: {}, work: {} })
    const targetRoot = `${folder}/root`
    const steps: string[] = []
    return {
      provider: treeProvider({
        targetRoot,
        exec: systemExec,
        disk: systemDisk,
        hookTimeoutMs: patience === 'short' ? 1000 : 30_000,
      }),
      targetRoot,
      build: (wanted) => buildTree(`${folder}/store`, wanted),
      filesOf: (name) => `${targetRoot}/opt/${name}/current`,
      insidePath: (file) => `${targetRoot}/${file}`,
      isNote: () => false,
      context: {
        workFolder: `${folder}/work`,
        journal: async (step) => void steps.push(step),
        output: () => {},
        steps,
      },
    }
  },
  { knowsModes: true },
)
