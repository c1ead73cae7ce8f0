// What a failed script leaves in rpm's database: a version that would not go, and beside it the
// same version once more. No try may add to that.

import type { PackageName } from '../../../model/names.ts'
import type { Change } from '../package-system.ts'
import type { ApplyContext } from '../provider.ts'
import { installedOf } from './rpm-identity.ts'
import type { RpmPrograms } from './rpm-programs.ts'
import { nevraOf, parseRpmQuery } from './rpm-text.ts'

/**
 * Leaves one entry of each version that the change has installed. When the change puts former
 * versions back, what had come meanwhile and is kept by its own scripts goes as well: the machine
 * did not have it before. No script runs. `beside` are packages of which several versions are meant
 * to be there. Returns a remark for each package that went back so.
 */
export async function removeCopies(
  programs: RpmPrograms,
  { installs, removes, isBack }: Pick<Change, 'installs' | 'removes' | 'isBack'>,
  beside: ReadonlySet<string>,
  context: ApplyContext,
): Promise<Map<PackageName, string>> {
  const notes = new Map<PackageName, string>()
  const names = [...installs.keys(), ...(isBack ? removes : [])].filter((name) => !beside.has(name))
  if (names.length === 0) return notes
  const there = await installedOf(programs, names)
  for (const [name, entries] of Map.groupBy(there, (entry) => entry.name)) {
    const mend = async (step: string, words: readonly string[]) => {
      await context.journal(`rpm, without scripts: ${step}`, name)
      const { code, stdout, stderr } = await programs.mend([...words, ...withoutScripts])
      context.output(stdout + stderr)
      if (code === 0 && isBack) notes.set(name, 'without its scripts')
      return code === 0
    }
    const payload = installs.get(name)
    if (payload === undefined) {
      const stuck = new Set(entries.map(nevraOf))
      await mend(`-${[...stuck].join(' -')}`, ['-e', '--allmatches', ...stuck])
    }
    if (payload === undefined || entries.length < 2) continue
    const [own] = parseRpmQuery(await programs.file(payload))
    if (own === undefined) continue
    const copies = entries.filter((entry) => nevraOf(entry) === nevraOf(own))
    const others = entries.filter((entry) => nevraOf(entry) !== nevraOf(own)).map(nevraOf)
    const isAlone =
      others.length === 0 ||
      (isBack && copies.length > 0 && (await mend(`-${others[0]}`, ['-e', '--allmatches', ...new Set(others)])))
    if (copies.length < 2) continue
    const step = `one entry of ${nevraOf(own)} instead of ${copies.length}`
    const again = ['--justdb', '--replacepkgs', '--replacefiles', '--oldpackage', '--nodeps', '--nosignature', payload]
    if (isAlone) await mend(step, ['-U', ...again])
    // -U would also forget the other version, whose files are still there. If this is cut short, the
    // other version is what the next look finds.
    else if (await mend(step, ['-e', '--justdb', '--nodeps', '--allmatches', nevraOf(own)])) {
      await mend(step, ['-i', ...again])
    }
  }
  return notes
}

const withoutScripts = ['--noscripts', '--notriggers']
