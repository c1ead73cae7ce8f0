// `banyan doctor`: what is wrong with this node, and what to do about it.

import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption } from '../command.ts'
import { ask } from '../daemon.ts'
import { print, printJson } from '../output.ts'
import { doctorText } from '../text/doctor.ts'

export const doctorCommand: Command = {
  command: 'doctor',
  describe: 'show what is wrong with this node and what to do about it; exit code 1 if something is',
  builder: (argv) =>
    jsonOption(homeOption(argv)).option('fix', {
      type: 'boolean',
      default: false,
      describe: 'on a root whose clock is in doubt: the clock is right, sign by it again',
    }),
  run: async (args) => {
    if (args['fix'] === true) await ask(homeOf(args), 'POST /clock/confirm')
    // Not a call to the daemon: it has to work where no daemon runs.
    const { diagnose } = await import('../../node/setup/doctor.ts')
    const findings = await diagnose(homeOf(args))
    await (jsonOf(args) ? printJson({ findings }) : print(doctorText(findings)))
    return findings.some(({ state }) => state === 'wrong') ? exitCodes.failed : exitCodes.done
  },
}
