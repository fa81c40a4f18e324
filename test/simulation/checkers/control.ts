/**
 * Control traffic is linear: a pair pays a constant number of registry frames for a link, then one for each turn in which
 * members really changed, and now and then one to compare (DESIGN.md, promise 5; the storm of 2014 was the lack of it).
 */
import { Channel } from '../../../routing/index.ts'
import { type Observer, Violation } from '../observer.ts'
import type { SimNode } from '../world/node.ts'
import type { World } from '../world/world.ts'

/** Frames from one end to the other for each link: it asks, and it answers. */
const framesPerLink = 2
/** What changes in a turn is one frame; more than a script's groups and processes never change in one. */
const framesPerChange = 1

/** How often an owner says what should be held of it, at most, as a part of the heartbeat timeout: see node/wiring.ts. */
const comparePart = 0.75 * 1.25

interface Account {
  readonly owner: SimNode
  frames: number
  links: number
  sinceMs: number
}

export function controlChecker(world: () => World): Observer {
  const name = 'control traffic is linear'
  const accounts = new Map<string, Account>()
  const starts = new Map<string, SimNode>()
  const accountOf = (node: SimNode, owner: SimNode) => {
    const key = `${owner.name}/${owner.creation} > ${node.name}/${node.creation}`
    const account = accounts.get(key) ?? { owner, frames: 0, links: 0, sinceMs: world().nowMs }
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
      // Now and then an owner says what should be held of it; one that was under way for long may come right before the next.
      const compareMs = comparePart * node.options.heartbeatTimeoutMs
      const comparisons = 1 + Math.ceil((world().nowMs - account.sinceMs) / compareMs)
      // Each difference costs a question and an answer: none, unless something is lost on purpose.
      const differences = node.wires.registry.counts.differences + owner.wires.registry.counts.differences
      const most =
        framesPerLink * (account.links + differences) + framesPerChange * owner.changes + comparisons
      if (account.frames > most)
        throw new Violation(
          name,
          `${account.frames} frames from ${other} to ${node.name}, for ${account.links} links and ${owner.changes} changes`,
        )
    },
  }
}
