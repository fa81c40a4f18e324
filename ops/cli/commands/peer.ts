/** `wand peer …`: links as each of their ends sees them. Each command is a file of its own. */
import type { Command } from 'commander'
import type { Io } from '../io.ts'
import { registerPeerList } from './peer-list.ts'
import { registerPeerShow } from './peer-show.ts'

export function registerPeer(program: Command, io: Io): void {
  const peer = program.command('peer').description('peers: links, queues, and the fates of what was sent')
  registerPeerList(peer, io)
  registerPeerShow(peer, io)
}
