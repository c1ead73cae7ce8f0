// Base lists: the packages that a distribution installs by itself, in a file beside the policy.
// Pure.

import { Failure } from '../model/failure.ts'
import { type Offer, type Offers, providedBy } from '../model/needs.ts'

/**
 * Parses one package per line: `NAME`, `NAME VERSION`, `NAME = VERSION`, or `NAME VERSION PROVIDES,
 * ...`. These are the formats of `dpkg-query -W -f '${Package} ${Version} ${Provides}\n'` and of
 * `rpm -qa --provides`. A name without a version stands for every version. Throws `bad-input` with
 * a message of the form `FILE:LINE: ...`.
 */
export function parseBaseList(text: string, file: string): Offers {
  const offers = new Map<string, Offer[]>()
  const add = (name: string, offer: Offer) => {
    const known = offers.get(name)
    if (known === undefined) offers.set(name, [offer])
    else known.push(offer)
  }
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.replace(/(^|\s)#.*$/, '').trim()
    // rpm lists its public keys as well: `gpg(Red Hat, Inc. (release key 2) <security@redhat.com>)
    // = 4:199e...`.
    if (words === '' || words.startsWith('gpg(')) continue
    const [, name, version, provides = ''] = /^(\S+)(?:\s+(?:=\s*)?([^\s=<>,]+)(?:\s+(\S.*))?)?$/.exec(words) ?? []
    if (name === undefined || name.includes(',')) {
      throw new Failure(
        'bad-input',
        `${file}:${index + 1}: expected NAME VERSION, got ${JSON.stringify(words.slice(0, 80))}`,
      )
    }
    add(name, version === undefined ? { kind: 'any' } : { kind: 'version', version })
    for (const each of provides.split(',')) if (each.trim() !== '') add(...providedBy('deb', each))
  }
  return offers
}
