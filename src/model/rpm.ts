// Versions and architectures as rpm writes them, translated into banyan's.

import type { Arch, PackageName } from './names.ts'

/** `[epoch:]version-release`. An epoch of 0 means the same as none, and is left out. */
export function rpmVersionOf(epoch: string | number, version: string, release: string): string {
  const number = String(epoch).replace(/^0+(?=\d)/, '')
  return `${/^\d+$/.test(number) && number !== '0' ? `${number}:` : ''}${version}-${release}`
}

const archs: Readonly<Record<string, Arch>> = {
  noarch: 'all',
  x86_64: 'amd64',
  aarch64: 'arm64',
  armv7hl: 'armhf',
  armv7hnl: 'armhf',
  i386: 'i386',
  i486: 'i386',
  i586: 'i386',
  i686: 'i386',
  riscv64: 'riscv64',
  ppc64le: 'ppc64el',
  s390x: 's390x',
}

/**
 * Debian's name for an architecture of rpm. Undefined if banyan does not know that architecture.
 */
export function archOfRpm(arch: string): Arch | undefined {
  return Object.hasOwn(archs, arch) ? archs[arch] : undefined
}

/** An architecture as rpm calls it; where rpm has several, the first. */
export function rpmArchOf(arch: Arch): string {
  return Object.keys(archs).find((word) => archs[word] === arch) ?? arch
}

/**
 * The name of an rpm package on a machine whose architecture rpm calls `native`: `libfo:i386` if it
 * is for another one. An architecture that banyan does not know counts as the machine's own.
 */
export function nameOnMachine(name: PackageName, arch: string, native: string | undefined): PackageName {
  const [own, its] = [archOfRpm(native ?? ''), archOfRpm(arch)]
  return own === undefined || its === undefined || its === 'all' || its === own ? name : `${name}:${its}`
}
