// What the administrator has set for dnf and zypper on the machine, as far as it binds us too. The
// files are read below the target root, whichever of the two is there.

import path from 'node:path'
import { limits } from '../../../model/limits.ts'
import type { RpmToolParts } from './rpm-tools.ts'

export interface RpmSettings {
  /** The section main of dnf's settings. */
  dnf: Settings
  /** The section main of zypper's settings. */
  zypp: Settings
  /** What libzypp lets stand side by side: a name, or `provides:` and a name. */
  multiversion: readonly string[]
  /** The packages that dnf never removes, each with the file that says so. */
  protected: ReadonlyMap<string, string>
}

/** Values by key. Lists that are given twice are joined. */
export type Settings = ReadonlyMap<string, string>

export async function readRpmSettings(parts: Pick<RpmToolParts, 'targetRoot' | 'disk'>): Promise<RpmSettings> {
  const dnf = settingsOf(await textsOf(parts, ['etc/dnf/dnf.conf', 'etc/dnf/libdnf5.conf.d/']))
  const zypp = settingsOf(
    await textsOf(parts, ['usr/etc/zypp/zypp.conf', 'etc/zypp/zypp.conf', 'etc/zypp/zypp.conf.d/']),
  )
  const listed = await textsOf(parts, ['etc/zypp/multiversion.d/'])
  const multiversion = [zypp.get('multiversion') ?? '', ...listed].flatMap((text) => wordsIn(withoutNotes(text)))
  return { dnf, zypp, multiversion, protected: await protectedBy(parts, dnf) }
}

/**
 * What the machine's own settings of dnf and zypper have left out of every installation, as options of
 * rpm: only dnf and zypper themselves read those.
 */
export function leftOutBy({ dnf, zypp }: Pick<RpmSettings, 'dnf' | 'zypp'>): string[] {
  const flags = wordsIn(dnf.get('tsflags'))
  const options = {
    noscripts: '--noscripts',
    notriggers: '--notriggers',
    nocontexts: '--nocontexts',
    nocaps: '--nocaps',
  }
  const isWithoutDocs = flags.includes('nodocs') || isOn(zypp.get('rpm.install.excludedocs')) === true
  return [
    ...(isWithoutDocs ? ['--excludedocs'] : []),
    ...Object.entries(options).flatMap(([flag, option]) => (flags.includes(flag) ? [option] : [])),
  ]
}

async function protectedBy(
  parts: Pick<RpmToolParts, 'targetRoot' | 'disk'>,
  dnf: Settings,
): Promise<Map<string, string>> {
  const folders = ['etc/dnf/protected.d/', 'etc/yum/protected.d/']
  const found = new Map<string, string>()
  for (const folder of folders) {
    for (const name of (await textsOf(parts, [folder])).flatMap((text) => wordsIn(withoutNotes(text)))) {
      found.set(name, `a file in /${folder.slice(0, -1)}`)
    }
  }
  // dnf's own value is a list of such folders.
  const own = wordsIn(dnf.get('protected_packages')).filter((word) => !word.startsWith('glob:'))
  for (const name of own) found.set(name, 'protected_packages in /etc/dnf/dnf.conf')
  return found
}

/** The words of a list, which dnf and zypper separate by commas, blanks or lines. */
export function wordsIn(text: string | undefined): string[] {
  return (text ?? '').split(/[\s,]+/).filter((word) => word !== '')
}

/** Whether a setting is on, in the words of dnf and zypper. Undefined if it is neither on nor off. */
export function isOn(text: string | undefined): boolean | undefined {
  const word = text?.trim().toLowerCase() ?? ''
  if (['1', 'yes', 'true', 'on', 'enabled', 'always'].includes(word)) return true
  return ['0', 'no', 'false', 'off', 'disabled', 'never'].includes(word) ? false : undefined
}

/** A name that ends in a slash is a folder, whose files are read in their order. */
async function textsOf(
  { targetRoot, disk }: Pick<RpmToolParts, 'targetRoot' | 'disk'>,
  names: readonly string[],
): Promise<string[]> {
  const texts: string[] = []
  for (const name of names) {
    const at = path.join(targetRoot, name)
    const there = await disk.stat(at)
    if (there === undefined) continue
    const inFolder = name.endsWith('/') && there.kind === 'folder'
    const files = inFolder ? (await disk.list(at)).map((one) => path.join(at, one)) : [at]
    for (const file of files) {
      if ((await disk.stat(file))?.kind !== 'file') continue
      texts.push(new TextDecoder().decode(await disk.read(file, { maxBytes: limits.settingsMaxBytes })))
    }
  }
  return texts
}

/** Later files win, except for lists of packages, which add up. */
export function settingsOf(texts: readonly string[]): Settings {
  const settings = new Map<string, string>()
  for (const text of texts) {
    let section = ''
    let last = ''
    for (const line of withoutNotes(text).split('\n')) {
      const [, header] = /^\[(.+)\]\s*$/.exec(line) ?? []
      const [, name = '', value = ''] = /^([\w.-]+)\s*[=:]\s*(.*)$/.exec(line) ?? []
      if (header !== undefined) section = header
      else if (section !== 'main') continue
      else if (/^\s+\S/.test(line)) settings.set(last, `${settings.get(last) ?? ''} ${line.trim()}`)
      else if (name !== '') {
        last = name === 'exclude' ? 'excludepkgs' : name
        const isList = ['excludepkgs', 'installonlypkgs', 'protected_packages'].includes(last)
        settings.set(last, isList ? `${settings.get(last) ?? ''} ${value}`.trim() : value.trim())
      }
    }
  }
  return settings
}

function withoutNotes(text: string): string {
  return text.replace(/^[^\S\n]*[#;].*$/gm, '').replace(/\r$/gm, '')
}
