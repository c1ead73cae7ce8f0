// What rpm knows about the files of packages: which are changed, whose they are, and which it could
// not check.

import { limits } from '../../../model/limits.ts'
import type { PackageName } from '../../../model/names.ts'
import type { PackageFiles } from '../drift/drift.ts'
import { findingsText, type InspectOptions } from '../provider.ts'
import type { RpmWords } from './rpm-identity.ts'
import type { RpmPrograms } from './rpm-programs.ts'
import { nameInNevra, parseRpmFiles, parseRpmVerify } from './rpm-text.ts'

/** What rpm knows about the files of packages. */
export function rpmFiles(programs: RpmPrograms, words: RpmWords): PackageFiles {
  const wordOf = (name: PackageName) => words.get(name) ?? name
  const owners: PackageFiles['owners'] = async (paths) => {
    const known = new Map<string, PackageName>()
    if (paths.length > limits.ownersAskedMax) return known
    const native = await programs.arch()
    for (const file of paths) {
      const lines = (await programs.owners([file])).split('\n').filter((line) => line !== '')
      const names = new Set(lines.map((line) => nameInNevra(line, native)))
      const [name] = names
      // rpm says in a sentence that no package has the file.
      if (names.size === 1 && name !== undefined && !name.includes(' ')) known.set(file, name)
    }
    return known
  }
  const verified = async (names: readonly PackageName[], depth: InspectOptions['depth']) => {
    const nameOf = new Map(names.map((name) => [wordOf(name), name]))
    const asked = [...nameOf.keys()]
    const answer = await programs.verify(asked, depth)
    const { findings, touched, unread: unchecked } = parseRpmVerify(answer.text)
    const unread = new Map([...answer.unread].map(([word, because]) => [nameOf.get(word) ?? word, because]))
    for (const [word, paths] of unchecked.length === 0 ? [] : await uncheckedBy(programs, asked, depth)) {
      unread.set(nameOf.get(word) ?? word, `rpm could not check ${findingsText(paths)}`)
    }
    return { findings, touched, unread }
  }
  return {
    async verify(names, depth) {
      const { findings, touched, unread } = await verified(names, depth)
      if (depth === 'full' || touched.length === 0) return { findings, unread }
      // A file of which only the time has changed is read even in a quick look: it may have other
      // content of the same size.
      const known = await owners(touched)
      const isKnown = touched.every((file) => names.includes(known.get(file) ?? ''))
      const suspects = isKnown ? [...new Set(known.values())] : names
      const read = await verified(suspects, 'full')
      const found = new Set(findings.map((finding) => finding.path))
      return {
        findings: [...findings, ...read.findings.filter((finding) => !found.has(finding.path))],
        unread: new Map([...unread, ...read.unread]),
      }
    },
    pathsIn: async (payload) => (await programs.pathsIn([payload])).filter((line) => line.startsWith('/')),
    owners,
    async shipped(name, paths) {
      const wanted = new Set(paths)
      return new Map([...parseRpmFiles(await programs.files(wordOf(name)))].filter(([file]) => wanted.has(file)))
    },
  }
}

/** The files that rpm could not check, package by package. */
async function uncheckedBy(
  programs: RpmPrograms,
  names: readonly PackageName[],
  depth: InspectOptions['depth'],
): Promise<Map<PackageName, string[]>> {
  const found = new Map<PackageName, string[]>()
  for (const name of names) {
    const { unread } = parseRpmVerify((await programs.verify([name], depth)).text)
    if (unread.length > 0) found.set(name, unread)
  }
  return found
}
