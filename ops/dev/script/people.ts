/**
 * The people of the demonstration: how they are called, where they are at home, and who their friends are.
 *
 * Pure, and decided by the seed alone. Homes take turns over the addresses, so that every chat node has its share; each
 * person has friends at home and, where there is another datacenter, abroad.
 */
import { SeededRandom } from '../random.ts'

/** Where a phone can connect: a chat node. */
export interface Place {
  readonly node: string
  readonly datacenter: string
  /** `host:port` for phones. */
  readonly address: string
}

/** One simulated person. */
export interface Person {
  readonly name: string
  /** Index into the places. */
  readonly home: number
  readonly datacenter: string
  readonly friends: readonly string[]
}

const FRIENDS_NEAR = 3
const FRIENDS_FAR = 2

const NAMES = [
  ...[
    'alice',
    'bob',
    'carol',
    'dave',
    'erin',
    'frank',
    'grace',
    'heidi',
    'ivan',
    'judy',
    'karl',
    'lena',
    'mina',
  ],
  ...[
    'nina',
    'oscar',
    'peggy',
    'quinn',
    'rosa',
    'sybil',
    'tom',
    'uma',
    'victor',
    'wendy',
    'xavier',
    'yara',
    'zoe',
  ],
  ...[
    'anna',
    'bela',
    'clara',
    'dora',
    'emil',
    'fritz',
    'gita',
    'hugo',
    'ida',
    'jonas',
    'kira',
    'leo',
    'maya',
  ],
  ...[
    'noah',
    'olga',
    'paul',
    'raj',
    'sara',
    'theo',
    'ursula',
    'vera',
    'walter',
    'yusuf',
    'zara',
    'amir',
    'bruno',
  ],
]

/** The name of the person with this index: a plain first name, numbered from the second round on. */
export function nameOf(index: number): string {
  const round = Math.floor(index / NAMES.length)
  return `${NAMES[index % NAMES.length]}${round === 0 ? '' : round + 1}`
}

/**
 * Makes the crowd.
 * @param count how many people, 1 or more
 * @param places at least one
 * @param seed same seed, same friendships
 */
export function makePeople(count: number, places: readonly Place[], seed: number): Person[] {
  const homes = takeTurns(places)
  const citizens = Array.from({ length: count }, (_, index) => {
    const home = homes[index % homes.length]!
    return { name: nameOf(index), home, datacenter: places[home]!.datacenter }
  })
  return citizens.map((citizen, index) => {
    const random = SeededRandom.of(seed, index)
    const others = citizens.filter(other => other !== citizen)
    const near = others.filter(other => other.datacenter === citizen.datacenter)
    const far = others.filter(other => other.datacenter !== citizen.datacenter)
    const friends = [...random.sample(near, FRIENDS_NEAR), ...random.sample(far, FRIENDS_FAR)]
    return { ...citizen, friends: friends.map(friend => friend.name) }
  })
}

/** Indices of the places, one datacenter after the other in turn, so that even a few people are in all of them. */
function takeTurns(places: readonly Place[]): number[] {
  const queues = new Map<string, number[]>()
  for (const [index, { datacenter }] of places.entries()) {
    queues.set(datacenter, [...(queues.get(datacenter) ?? []), index])
  }
  const turns: number[] = []
  while (turns.length < places.length) {
    for (const queue of queues.values()) {
      const index = queue.shift()
      if (index !== undefined) turns.push(index)
    }
  }
  return turns
}
