/** What a person at `wand chat` may type: a text for the partner, or a command that begins with a slash. */

/** One line, understood. */
export type Input =
  | { readonly kind: 'text'; readonly body: string }
  /** Writes to this user from now on. */
  | { readonly kind: 'to'; readonly user: string }
  | { readonly kind: 'who' }
  | { readonly kind: 'quit' }
  | { readonly kind: 'help' }
  | { readonly kind: 'nothing' }

/** Reads a line. What begins with a slash and is no command asks for help; two slashes begin a text with one. */
export function readInput(line: string): Input {
  const text = line.trim()
  if (text === '') return { kind: 'nothing' }
  if (text.startsWith('//')) return { kind: 'text', body: text.slice(1) }
  if (!text.startsWith('/')) return { kind: 'text', body: text }
  const [command, argument, ...rest] = text.split(/\s+/)
  if (command === '/to' && argument !== undefined && rest.length === 0) return { kind: 'to', user: argument }
  if (command === '/who' && argument === undefined) return { kind: 'who' }
  if (command === '/quit' && argument === undefined) return { kind: 'quit' }
  return { kind: 'help' }
}

/** What {@link readInput} takes. */
export const inputHelp =
  '/to NAME  write to somebody   /who  some names   /quit  leave   anything else is sent'
