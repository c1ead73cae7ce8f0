// What a distribution brings along, as a list beside the policy: how its lines are written. Pure.

import { Failure } from '../model/failure.ts'
import { type Offer, type Offers, providedBy } from '../model/needs.ts'

/**
 * A line each: `NAME`, `NAME VERSION`, `NAME = VERSION`, of Debian with what it provides behind: `NAME VERSION PROVIDES, ...`.
 * So `dpkg-query -W -f '${Package} ${Version} ${Provides}\n'` and `rpm -qa --provides` write it. A name alone stands for
 * every version. Throws `bad-input` as `FILE:LINE: ...`.
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
    // Keys, by names that people gave them: `gpg(Red Hat, Inc. (release key 2) <security@redhat.com>) = 4:199e...`.
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
