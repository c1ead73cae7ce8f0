import type { Argv } from 'yargs'

/** The names of the options of a command, as its builder gives them to yargs. */
export function optionsOf(builder: (argv: Argv) => Argv): string[] {
  const options: string[] = []
  const recorder: Argv = new Proxy({} as Argv, {
    get: (_, method) => (name: string) => {
      if (method === 'option') options.push(name)
      return recorder
    },
  })
  builder(recorder)
  return options
}
