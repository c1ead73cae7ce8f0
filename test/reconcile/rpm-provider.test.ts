import t from 'tap'
import { rpmProvider } from '../../src/reconcile/providers/rpm/rpm.ts'
import { rpmWaits } from '../../src/reconcile/providers/rpm/rpm-tools.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { systemExec } from '../../src/world/exec.ts'
import { providerContract } from '../contract/provider-contract.ts'
import { isLarge } from '../large.ts'
import { needs } from '../repository/workbench.ts'
import { buildRpm } from './packages.ts'
import { isOfRpmMachine, makeRpmMachine } from './rpm-machine.ts'

// rpm, dnf and zypper are real, and other tests run beside these.
t.setTimeout(1_200_000)

/** The small form of what dnf and zypper keep: it installs, goes up and goes down. */
const short = 'an upgrade and a downgrade leave only the files of the version wanted'

for (const frontEnd of ['rpm', 'dnf', 'zypper'] as const) {
  t.test(`carried out by ${frontEnd}`, needs(frontEnd), async (t) => {
    t.setTimeout(1_200_000)
    const shared = t.testdir({})
    providerContract(
      t,
      async (t, patience) => {
        const folder = t.testdir({ root: {}, store: {}, work: {} })
        const targetRoot = `${folder}/root`
        await makeRpmMachine(targetRoot, shared)
        const steps: string[] = []
        const waits = patience === 'short' ? { ...rpmWaits, transactionMs: 5000 } : rpmWaits
        return {
          provider: rpmProvider({ targetRoot, exec: systemExec, disk: systemDisk, waits, frontEnd }),
          targetRoot,
          build: (wanted) => buildRpm(`${folder}/store`, wanted),
          filesOf: (name) => `${targetRoot}/opt/${name}`,
          insidePath: (file) => `/${file}`,
          isNote: isOfRpmMachine,
          context: {
            workFolder: `${folder}/work`,
            journal: async (step) => void steps.push(step),
            output: () => {},
            steps,
          },
        }
      },
      {
        needing: (name, version) => `${name} >= ${version}`,
        knowsModes: true,
        ...(isLarge || frontEnd === 'rpm' ? {} : { only: short }),
      },
    )
  })
}
