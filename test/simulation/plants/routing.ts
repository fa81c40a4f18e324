/** Bugs planted in routing: in the registry's memory and in the router's. */
import { Pid } from '../../../routing/index.ts'
import type { Plant } from './plant.ts'
import { randomOf } from './transport.ts'

export const routingPlants: readonly Plant[] = [
  {
    name: 'resend-all-on-flap',
    mistake: 'whenever a link comes up, everybody is told of all own members anew',
    foundBy: ['control traffic is linear', 'a short flap keeps members'],
    wires: ({ registry }, node) => {
      const peerUp = registry.peerUp.bind(registry)
      registry.peerUp = link => {
        peerUp(link)
        for (const group of registry.whichGroups())
          for (const pid of registry.localMembers(group)) {
            registry.leave(group, pid)
            node.machine.timers.soon(() => registry.join(group, pid))
          }
      }
    },
  },
  {
    name: 'forward-learned-members',
    mistake: 'a member that was learned from its owner is passed on to others',
    foundBy: ['first hand only'],
    wires: ({ registry }, node) =>
      void registry.monitor(undefined, ({ kind, group, pids }) => {
        for (const pid of pids)
          if (kind === 'join' && pid.node !== node.name)
            registry.join(group, new Pid(node.name, node.creation, pid.worker, pid.index))
      }),
  },
  {
    name: 'lost-leave',
    mistake: 'a leave is forgotten now and then',
    foundBy: ['views converge'],
    wires: ({ registry }, node) => {
      const random = randomOf(node, 'lost-leave')
      const leave = registry.leave.bind(registry)
      registry.leave = (group, pid) => random.chance(0.2) || leave(group, pid)
    },
  },
  {
    name: 'end-keeps-members',
    mistake: 'a process that ends stays in its groups',
    foundBy: ['views converge', 'first hand only'],
    wires: ({ registry }) => {
      registry.leaveAll = () => {}
    },
  },
  {
    name: 'dead-creation-kept',
    mistake: 'members of a node stay when it comes back as another start of itself',
    foundBy: ['no member of a dead creation', 'events add up to views'],
    wires: ({ registry }, node) => {
      const members = registry.members.bind(registry)
      const last = new Map<string, readonly Pid[]>()
      registry.members = group => {
        const now = members(group)
        const old = (last.get(group) ?? []).filter(({ node: name, creation }) => {
          const present = node.peer(name)?.creation ?? 0
          return present !== 0 && present !== creation
        })
        const all = old.length > 0 ? [...now, ...old] : now
        last.set(group, all)
        return all
      }
    },
  },
  {
    name: 'suspects-never-leave',
    mistake: 'the members of a node without a link stay for ever',
    foundBy: ['views converge'],
    wires: ({ registry }) => {
      registry.peerDown = () => {}
    },
  },
  {
    name: 'empty-groups-stay',
    mistake: 'a group whose last member has left is still listed',
    foundBy: ['views converge'],
    wires: ({ registry }) => {
      const whichGroups = registry.whichGroups.bind(registry)
      const known = new Set<string>()
      registry.whichGroups = () => {
        for (const group of whichGroups()) known.add(group)
        return [...known]
      }
    },
  },
  {
    name: 'leave-not-told',
    mistake: 'listeners are not told of one leave in ten',
    foundBy: ['events add up to views'],
    wires: ({ registry }, node) => {
      const random = randomOf(node, 'leave-not-told')
      const monitor = registry.monitor.bind(registry)
      registry.monitor = (group, listener) =>
        monitor(group, event => {
          if (event.kind === 'join' || !random.chance(0.1)) listener(event)
        })
    },
  },
  {
    name: 'call-never-ends',
    mistake: 'a call whose time is up is forgotten, and its caller waits for ever',
    foundBy: ['a call ends once'],
    wires: ({ router }) => {
      const call = router.call.bind(router)
      router.call = (target, message, options) =>
        new Promise((resolve, reject) => {
          call(target, message, options).then(resolve, error => {
            if (error.code !== 'timeout') reject(error)
          })
        })
    },
  },
  {
    name: 'answer-of-another-call',
    mistake: 'a late answer ends the next call to the same node',
    foundBy: ['a call ends once'],
    wires: ({ router }) => {
      const call = router.call.bind(router)
      let late: Promise<unknown> | undefined
      router.call = async (target, message, options) => {
        const answer = call(target, message, options)
        if (late !== undefined) {
          answer.catch(() => {})
          const value = await late
          late = undefined
          return value
        }
        return answer.catch(error => {
          if (error.code === 'timeout') late = Promise.resolve('late')
          throw error
        })
      }
    },
  },
  {
    name: 'delivered-twice',
    mistake: 'now and then a message is handed to its process twice',
    foundBy: ['a call ends once', 'one fate per cast', 'order per sender and lane'],
    wires: ({ runtime }, node) => {
      const random = randomOf(node, 'delivered-twice')
      const deliver = runtime.deliver.bind(runtime)
      runtime.deliver = (index, envelope) => {
        if (random.chance(0.02)) deliver(index, envelope)
        return deliver(index, envelope)
      }
    },
  },
  {
    name: 'message-swallowed',
    mistake: 'now and then a message that arrived is dropped, and not counted',
    foundBy: ['one fate per cast'],
    wires: ({ router }, node) => {
      const random = randomOf(node, 'message-swallowed')
      const receive = router.receive.bind(router)
      router.receive = (link, body) => {
        if (!random.chance(0.02)) receive(link, body)
      }
    },
  },
  {
    name: 'unbounded-inbox',
    mistake: "a process's message queue takes all that comes",
    foundBy: ['queues are bounded'],
    wires: ({ runtime }) => {
      const spawn = runtime.spawn.bind(runtime)
      runtime.spawn = (server, options, index) => spawn(server, { ...options, queueMessagesMax: 1e9 }, index)
    },
  },
]
