// The part of yargs 18 that is used here; the package brings no types of its own.

declare module 'yargs' {
  export interface OptionDefinition {
    alias?: string
    array?: boolean
    choices?: readonly string[]
    default?: unknown
    defaultDescription?: string
    demandOption?: boolean
    describe?: string
    requiresArg?: boolean
    type?: 'boolean' | 'string'
  }

  export interface Argv {
    command(definition: {
      command: string
      describe: string
      builder: (argv: Argv) => Argv
      handler: (argv: Readonly<Record<string, unknown>>) => Promise<void>
    }): Argv
    completion(command: string, description: string): Argv
    demandCommand(count: number, message: string): Argv
    detectLocale(detect: boolean): Argv
    epilogue(text: string): Argv
    example(command: string, description: string): Argv
    exitProcess(enabled: boolean): Argv
    fail(handler: (message: string | null, error: Error | undefined) => void): Argv
    help(): Argv
    option(name: string, definition: OptionDefinition): Argv
    parseAsync(): Promise<unknown>
    parserConfiguration(configuration: Readonly<Record<string, boolean>>): Argv
    positional(name: string, definition: OptionDefinition): Argv
    scriptName(name: string): Argv
    showHelpOnFail(enabled: boolean): Argv
    strict(): Argv
    strictCommands(): Argv
    usage(text: string): Argv
    version(text: string | false): Argv
    wrap(columns: number): Argv
  }

  const yargs: (args: readonly string[]) => Argv

  export { yargs as default }
}
