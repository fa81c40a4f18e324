/**
 * Help that can be read: the program's own page lists every command there is, by what one wants of it, a line each;
 * a command's page shows how it is used before it shows what it takes.
 */
import type { Command } from 'commander'

/** What people want; a command says which with `.helpGroup(wants.look)`. */
export const wants = {
  look: 'Look:',
  change: 'Change:',
  run: 'Run:',
} as const

/** Sets how this program and all commands that are added to it later print their help. */
export function configureHelp(program: Command): void {
  program
    .usage('[options] <command>')
    .helpOption('-h, --help', 'print this')
    .helpCommand(false)
    .configureHelp({
      showGlobalOptions: true,
      styleTitle: title => title,
      visibleCommands(command) {
        return command.parent === null ? leaves(command) : [...command.commands]
      },
      subcommandTerm(command) {
        const needed = command.registeredArguments.filter(argument => argument.required)
        return [nameOf(command), ...needed.map(argument => argument.name().toUpperCase())].join(' ')
      },
    })
}

/** Adds a list of examples to the help of `command`: what to type, and what it is for. */
export function examples(command: Command, lines: readonly (readonly [type: string, why: string])[]): void {
  const width = Math.max(...lines.map(([type]) => type.length))
  const text = lines.map(([type, why]) => `  ${type.padEnd(width)}  ${why}`).join('\n')
  command.addHelpText('after', `\nExamples:\n${text}`)
}

/** The commands that do something; `node` itself does not, `node list` does. */
function leaves(command: Command): Command[] {
  return command.commands.flatMap(inner => (inner.commands.length > 0 ? leaves(inner) : [inner]))
}

/** `node list`, as it is typed after `wand`. */
function nameOf(command: Command): string {
  const parent = command.parent
  return parent === null || parent.parent === null ? command.name() : `${nameOf(parent)} ${command.name()}`
}
