/**
 * Control traffic is linear: a pair pays a constant number of registry frames for a link, and then two at most for each turn in which
 * members really changed (DESIGN.md, promise 5; the storm of 2014 was the lack of it).
 */
import { Channel } from '../../../routing/index.ts'
import { type Observer, Violation } from '../observer.ts'
import type { SimNode } from '../world/node.ts'

/** Frames from one end to the other for each link: it asks, and it answers. */
const framesPerLink = 2
/** A turn's changes are at most one frame of joins and one of leaves. */
const framesPerChange = 2

interface Account {
  readonly owner: SimNode
  frames: number
  links: number
}

export function controlChecker(): Observer {
  const name = 'control traffic is linear'
  const accounts = new Map<string, Account>()
  const starts = new Map<string, SimNode>()
  const accountOf = (node: SimNode, owner: SimNode) => {
    const key = `${owner.name}/${owner.creation} > ${node.name}/${node.creation}`
    const account = accounts.get(key) ?? { owner, frames: 0, links: 0 }
    accounts.set(key, account)
    return account
  }
  const startOf = (node: string, creation: number) => starts.get(`${node}/${creation}`)
  return {
    name,
    started: node => void starts.set(`${node.name}/${node.creation}`, node),
    up: (node, { node: other, creation }) => {
      const owner = startOf(other, creation)
      if (owner !== undefined) accountOf(node, owner).links++
    },
    received: (node, { node: other, creation }, channel) => {
      const owner = startOf(other, creation)
      if (channel !== Channel.registry || owner === undefined) return
      const account = accountOf(node, owner)
      account.frames++
      const most = framesPerLink * account.links + framesPerChange * owner.changes
      if (account.frames > most)
        throw new Violation(
          name,
          `${account.frames} frames from ${other} to ${node.name}, for ${account.links} links and ${owner.changes} changes`,
        )
    },
  }
}
