/** `wand chat --as NAME`: a person takes part in the conversation. */
import { type Command, InvalidArgumentError } from 'commander'
import { examples, wants } from '../help.ts'
import type { Io } from '../io.ts'
import { type GlobalOptions, optionsOf } from '../options.ts'

interface TypedOptions extends GlobalOptions {
  readonly as: string
  readonly to?: string
  readonly address?: string
}

export function registerChat(program: Command, io: Io): void {
  const command = program
    .command('chat')
    .requiredOption('--as <name>', 'who you are', parseUser)
    .option('--to <user>', 'whom you write to first', parseUser)
    .option('--address <host:port>', 'where phones connect; a running wand dev up is found by itself')
    .helpGroup(wants.run)
    .description('take part in the conversation')
    .action(async (_own, command: Command) => {
      const { chat } = await import('../../dev/chat/chat.ts')
      io.setExitCode(await chat(io, optionsOf<TypedOptions>(command)))
    })
  examples(command, [
    ['wand chat --as you', 'beside wand dev up; /who names some people'],
    ['echo hello | wand chat --as you --to alice', 'ends when the text is kept'],
  ])
}

/** The servers' own rule for names; the name becomes part of a file's. */
function parseUser(text: string): string {
  if (/^[a-zA-Z0-9_+.-]{1,64}$/.test(text)) return text
  throw new InvalidArgumentError('A name has 1 to 64 letters, digits, and _ + . -')
}
