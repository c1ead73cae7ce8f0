// A machine for tests of the provider of kind deb.

import type { Test } from 'tap'
import { debProvider } from '../../src/reconcile/providers/deb/deb.ts'
import { debWaits } from '../../src/reconcile/providers/deb/deb-tools.ts'
import type { ApplyContext, Step } from '../../src/reconcile/providers/provider.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { systemExec } from '../../src/world/exec.ts'
import type { Exec } from '../../src/world/world.ts'
import { buildDeb, stepOf, type Wanted } from './packages.ts'

/** A machine with apt and dpkg, which are real, below a target root of its own. */
export async function debWorld(t: Test) {
  const folder = t.testdir({ root: {}, store: {}, work: {} })
  const root = `${folder}/root`
  const journal: string[] = []
  const provider = debProvider({ targetRoot: root, exec: systemExec, disk: systemDisk, waits: debWaits })
  const context: ApplyContext = {
    workFolder: `${folder}/work`,
    journal: async (step) => void journal.push(step),
    output: () => {},
  }
  const deb = (wanted: Wanted, ...fields: string[]) => buildDeb(`${folder}/store`, { ...wanted, fields })
  return {
    root,
    /** The folder of dpkg's database. */
    database: `${root}/var/lib/dpkg`,
    journal,
    provider,
    deb,
    install: async (wanted: Wanted) => [stepOf('install', await deb(wanted))],
    ensure: (...steps: (Step | Step[])[]) => provider.ensure(steps.flat(), context),
    /** With the programs run as an apply process does. */
    ensureBy: (exec: Exec, ...steps: Step[]) =>
      debProvider({ targetRoot: root, exec, disk: systemDisk, waits: debWaits }).ensure(steps, context),
    look: async (name: string) => (await provider.inspect([name], { owned: new Set([name]), depth: 'quick' }))[0],
    /** One word for each package. */
    async states(...names: string[]) {
      const actual = await provider.inspect(names, { owned: new Set(names), depth: 'quick' })
      return Object.fromEntries(actual.map(({ name, state }) => [name, state]))
    },
    async shell(script: string) {
      const run = await systemExec.run({ program: 'sh', args: ['-c', script], env: { ROOT: root }, timeoutMs: 20_000 })
      if (run.code !== 0) throw new Error(run.stderr)
    },
  }
}
