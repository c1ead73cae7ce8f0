// The calls of rpm, dnf and zypper, aimed at one target root.

import { unreachable } from '../../../model/failure.ts'
import type { RunResult } from '../../../world/world.ts'
import type { ApplyContext } from '../provider.ts'
import { rpmAlone, testRpm } from './rpm-alone.ts'
import { rpmByDnf } from './rpm-dnf.ts'
import { frontEndNameOn, type RpmCall, type RpmFrontEnd, type RpmFrontEndName } from './rpm-front-end.ts'
import { type RpmQueries, rpmQueriesFor } from './rpm-queries.ts'
import { repair } from './rpm-repairs.ts'
import { type RpmToolParts, type RpmTools, rpmToolsFor } from './rpm-tools.ts'
import { rpmByZypper } from './rpm-zypper.ts'

export interface RpmProgramParts extends RpmToolParts {
  /** The default is what the machine has: dnf, else zypper, else rpm. */
  frontEnd?: RpmFrontEndName
}

export interface RpmPrograms extends RpmQueries {
  /** What a power cut left is repaired, once. Says what was done; undefined if nothing. */
  repair(context: ApplyContext): Promise<string | undefined>
  /** What carries transactions out on this machine. Undefined if the machine has no rpm. */
  frontEnd(): Promise<RpmFrontEnd | undefined>
  /** rpm itself, with the options of one call that puts its database right. */
  mend(args: readonly string[]): Promise<RunResult>
  /** rpm without a front end before it. It alone installs again what is installed already. */
  alone: RpmFrontEnd
  /**
   * What rpm would say to an installation, or to a removal if there is nothing to install. Changes
   * nothing. `options` are of rpm.
   */
  test(call: RpmCall, options?: readonly string[]): Promise<RunResult>
}

/** Throws `bad-input` for a target root that is not a plain absolute path. */
export function rpmProgramsFor(parts: RpmProgramParts): RpmPrograms {
  const tools = rpmToolsFor(parts)
  let name = parts.frontEnd
  return {
    ...rpmQueriesFor(tools),
    async frontEnd() {
      name ??= await frontEndNameOn(tools)
      return name === undefined ? undefined : frontEndCalled(name, tools)
    },
    mend: (args) => tools.rpm(args, tools.waits.transactionMs),
    repair: (context) => repair(tools, context),
    alone: rpmAlone(tools),
    test: (call, options) => testRpm(tools, call, options),
  }
}

function frontEndCalled(name: RpmFrontEndName, tools: RpmTools): RpmFrontEnd {
  switch (name) {
    case 'rpm':
      return rpmAlone(tools)
    case 'dnf':
      return rpmByDnf(tools)
    case 'zypper':
      return rpmByZypper(tools)
    default:
      return unreachable(name)
  }
}
