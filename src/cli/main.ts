// The command line, from its arguments to its exit code and the error message.

import { Failure, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { lineOf } from '../model/line.ts'
import { type ExitCode, exitCodes, UsageError } from './command.ts'
import { commands } from './commands.ts'
import { endQuietlyWithReader, note } from './output.ts'
import { parserFor } from './parser.ts'

endQuietlyWithReader()
process.exitCode = await exitCodeOf(process.argv.slice(2))

async function exitCodeOf(args: readonly string[]): Promise<ExitCode> {
  let exitCode: ExitCode = exitCodes.done
  try {
    const parser = parserFor(args, commands, async (command, values) => {
      exitCode = await command.run(values)
    })
    await parser.parseAsync()
    return exitCode
  } catch (error) {
    await explain(error)
    return error instanceof UsageError ? exitCodes.usage : exitCodes.failed
  }
}

async function explain(error: unknown): Promise<void> {
  // What another machine answered may be in the message and in the hint.
  await note(`error: ${lineOf(messageOf(error), limits.shownLineMaxChars)}`)
  if ((error instanceof Failure || error instanceof UsageError) && error.hint !== undefined) {
    await note(`hint: ${lineOf(error.hint, limits.shownLineMaxChars)}`)
  }
  if (process.env['BANYAN_DEBUG'] && error instanceof Error) await note(error.stack ?? '')
}
