// Whose setting wins: what the machine's settings of apt and dpkg mean for a call of ours. The
// table in docs/machines.md has all of them.

import path from 'node:path'
import { limits } from '../../../model/limits.ts'
import type { DebTools } from './deb-tools.ts'

/**
 * Settings of apt that presume sources, or that would make an installation something else, such as
 * a mere download. Given as arguments, so that they win over every file.
 */
export const neutralSettings: readonly string[] = [
  // The release of the machine's sources; apt refuses a value that no source has.
  'APT::Default-Release=',
  'APT::Get::Download=true',
  'APT::Get::Download-Only=false',
  'APT::Get::Fix-Broken=false',
  'APT::Get::Fix-Missing=false',
  'APT::Get::Only-Upgrade=false',
  'APT::Get::Print-URIs=false',
  'APT::Get::ReInstall=false',
  'APT::Get::Simulate=false',
  'APT::Get::Upgrade=true',
  'APT::Cache-Limit=0',
  'APT::Status-Fd=-1',
  'Dir::Cache::archives=archives/',
  'Dir::Cache::pkgcache=',
  'Dir::Cache::srcpkgcache=',
  'DPkg::Chroot-Directory=/',
  'DPkg::ConfigurePending=true',
  'DPkg::Run-Directory=/',
  'Debug::NoLocking=false',
  'Debug::pkgDPkgPM=false',
  'quiet=0',
]

/** The options with which dpkg keeps changed configuration files instead of asking. */
const keeping = ['--force-confdef', '--force-confold']

/**
 * The options that answer dpkg's questions about changed configuration files. None if the
 * administrator has dpkg take the package's own (`force-confnew`): that asks nothing either.
 * `aptOptions` is what apt's settings hand to dpkg.
 */
export function conffileAnswers(dpkgSettings: string, aptOptions: string): readonly string[] {
  const words = [...dpkgSettings.split('\n').map((line) => line.replace(/#.*/, '').trim()), ...aptOptions.split('\n')]
  const forced = words.flatMap((line) => /^(?:--)?force-([a-z,-]+)$/.exec(line)?.[1]?.split(',') ?? [])
  return forced.includes('confnew') && !forced.includes('confold') ? [] : keeping
}

/** dpkg's settings, in the order in which dpkg reads them. */
export async function dpkgSettings({ disk }: Pick<DebTools, 'disk'>): Promise<string> {
  const folder = '/etc/dpkg/dpkg.cfg.d'
  const names = (await disk.stat(folder)) === undefined ? [] : await disk.list(folder)
  const files = [...names.map((name) => path.join(folder, name)), '/etc/dpkg/dpkg.cfg']
  const texts: string[] = []
  for (const file of files) {
    if ((await disk.stat(file))?.kind !== 'file') continue
    texts.push(new TextDecoder().decode(await disk.read(file, { maxBytes: limits.settingsMaxBytes })))
  }
  return texts.join('\n')
}
