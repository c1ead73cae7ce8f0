// `banyan acknowledge`: a person has looked at the attacks that a node reports.

import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption, positionalOf } from '../command.ts'
import { ask } from '../daemon.ts'
import { show } from '../output.ts'
import { countText } from '../text/units.ts'

export const acknowledgeCommand: Command = {
  command: 'acknowledge <name>',
  describe: 'note that the attacks which a node reports have been looked at; new ones count again',
  builder: (argv) => jsonOption(homeOption(argv.positional('name', { type: 'string', describe: "the node's name" }))),
  run: async (args) => {
    const done = await ask(homeOf(args), 'POST /acknowledge/:name', { name: positionalOf(args, 'name') })
    await show(done, jsonOf(args), ({ node = '?', attacks = 0 }) =>
      attacks === 0 ? `${node} reports no attack that is new` : `${countText(attacks, 'attack')} of ${node} looked at`,
    )
    return exitCodes.done
  },
}
