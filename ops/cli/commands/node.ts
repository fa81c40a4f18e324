/** `wand node …`: lists, shows, drains and runs nodes. Each is a file of its own. */
import type { Command } from 'commander'
import type { Io } from '../io.ts'
import { registerNodeDrain } from './node-drain.ts'
import { registerNodeList } from './node-list.ts'
import { registerNodeRun } from './node-run.ts'
import { registerNodeShow } from './node-show.ts'

export function registerNode(program: Command, io: Io): void {
  const node = program.command('node').description('list, show, drain and run nodes')
  registerNodeList(node, io)
  registerNodeShow(node, io)
  registerNodeDrain(node, io)
  registerNodeRun(node, io)
}
