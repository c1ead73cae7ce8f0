// What installed Debian packages say of others, read from dpkg's database. Pure.

import type { Relations } from '../../../model/manifest.ts'

// The name with the architecture where that is not the machine's own.
const fields = ['binary:Package', 'Version', 'Pre-Depends', 'Depends', 'Provides', 'Conflicts', 'Breaks', 'Replaces']
/** One line for each package, for `parseDpkgRelations`. */
export const dpkgRelationsFormat = `${fields.map((field) => `\${${field}}`).join('\\t')}\\n`

/** Reads lines of `dpkg-query -W -f=dpkgRelationsFormat`. Packages without a version are not installed. */
export function parseDpkgRelations(text: string): Relations[] {
  return text.split('\n').flatMap((line) => {
    const [name, version, ...lists] = line.split('\t')
    if (name === undefined || version === undefined || version === '' || lists.length < 6) return []
    const [preDepends = [], depends = [], provides = [], conflicts = [], breaks = [], replaces = []] =
      lists.map(clausesOf)
    return [
      {
        ...{ kind: 'deb', name, version, depends: [...preDepends, ...depends], provides },
        ...{ conflicts: [...conflicts, ...breaks], replaces },
      },
    ]
  })
}

function clausesOf(field: string): string[] {
  const clauses = field.split(',').map((clause) => clause.trim())
  return clauses.filter((clause) => clause !== '')
}
