// The control file of a Debian package (Debian Policy 5), and the part of it that a manifest holds.

import * as v from 'valibot'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { archSchema, packageVersionSchema, publishedNameSchema } from '../model/names.ts'
import { debNameOf, debVersionOf, problemOfDebVersion } from '../model/packages/deb.ts'
import { parseTarget } from '../model/packages/target-schema.ts'
import { whyNot } from '../model/parse.ts'
import type { PackageDescription } from './taking.ts'

const multiArchs = ['same', 'foreign', 'allowed'] as const

const debArchSchema = v.pipe(
  v.string(),
  v.check((arch) => arch !== 'any' && arch !== 'source', 'it is for source packages'),
  archSchema,
)

/**
 * Name and version are as dpkg reads them. The installed size is what the package says, or 0: not
 * every package says it, or says it in numbers. Throws `bad-input` naming `path` and the field.
 */
export function descriptionOfControl(text: string, path: string): PackageDescription {
  const fields = fieldsOf(text, path)
  const required = (name: string) => {
    const value = fields.get(name.toLowerCase())
    if (value === undefined || value === '') throw new Failure('bad-input', `${path}: its control file has no ${name}`)
    return value
  }
  const checked = <T>(schema: v.GenericSchema<unknown, T>, name: string): T => {
    const value = required(name)
    const result = v.safeParse(schema, value)
    if (result.success) return result.output
    const message = lowerFirst(whyNot(result.issues))
    throw new Failure('bad-input', `${path}: ${name} ${JSON.stringify(value.slice(0, 80))}: ${message}`)
  }
  const version = checked(packageVersionSchema, 'Version')
  const problem = problemOfDebVersion(version)
  if (problem !== undefined) {
    throw new Failure('bad-input', `${path}: Version ${JSON.stringify(version)}: ${problem}`)
  }
  const multiArch = multiArchs.find((each) => each === fields.get('multi-arch')?.toLowerCase())
  // Our own field: dpkg keeps fields that it does not know.
  const target = fields.get('banyan-for')
  const kilobytes = fields.get('installed-size') ?? ''
  return {
    kind: 'deb',
    name: debNameOf(checked(publishedNameSchema, 'Package')),
    version: debVersionOf(version),
    arch: checked(debArchSchema, 'Architecture'),
    ...(target !== undefined && { target: parseTarget([target], `${path}: Banyan-For`) }),
    installedSize: /^\d{1,12}$/.test(kilobytes) ? Number(kilobytes) * 1024 : 0,
    depends: [...clausesOf(fields.get('pre-depends')), ...clausesOf(fields.get('depends'))],
    ...(multiArch !== undefined && { multiArch }),
    provides: clausesOf(fields.get('provides')).slice(0, limits.providesMax),
    conflicts: [...clausesOf(fields.get('conflicts')), ...clausesOf(fields.get('breaks'))].slice(
      0,
      limits.exclusionsMax,
    ),
    replaces: clausesOf(fields.get('replaces')).slice(0, limits.exclusionsMax),
    summary: summaryOf(fields.get('description')),
    hooks: {},
  }
}

/**
 * The fields of the first paragraph. Names are in lower case, because they compare so; a field's
 * lines end in LF.
 */
function fieldsOf(text: string, path: string): Map<string, string> {
  const fields = new Map<string, string>()
  let last: string | undefined
  for (const line of text.replace(/^\n+/, '').split('\n')) {
    if (line.trim() === '') break
    if (/^[ \t]/.test(line)) {
      if (last === undefined) throw badLine(path, line)
      fields.set(last, `${fields.get(last) ?? ''}\n${line.trim()}`)
      continue
    }
    const [, name, value] = /^([^\s:#-][^\s:]*):(.*)$/.exec(line) ?? []
    if (name === undefined || value === undefined) throw badLine(path, line)
    last = name.toLowerCase()
    if (fields.has(last)) throw new Failure('bad-input', `${path}: its control file has ${name.slice(0, 80)} twice`)
    fields.set(last, value.trim())
  }
  return fields
}

function clausesOf(field: string | undefined): string[] {
  const clauses = (field ?? '').split(',').map((clause) => clause.replace(/\s+/g, ' ').trim())
  return clauses.filter((clause) => clause !== '')
}

function summaryOf(description: string | undefined): string {
  const line = description?.split('\n', 1)[0] ?? ''
  return line.replace(/\p{Cc}/gu, ' ').slice(0, limits.textMaxChars)
}

function badLine(path: string, line: string): Failure {
  return new Failure('bad-input', `${path}: its control file has a damaged line ${JSON.stringify(line.slice(0, 80))}`)
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1)
}
